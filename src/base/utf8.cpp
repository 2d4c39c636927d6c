#include "base/utf8.h"

namespace safetp {

namespace {

struct Lead {
    std::size_t bytes;
    char32_t bits;
    char32_t smallest; ///< below it the sequence is overlong
};

Lead read_lead(unsigned char byte)
{
    if (byte < 0x80)
        return {1, byte, 0};
    if (byte >= 0xc2 && byte <= 0xdf)
        return {2, byte & 0x1fu, 0x80};
    if (byte >= 0xe0 && byte <= 0xef)
        return {3, byte & 0x0fu, 0x800};
    if (byte >= 0xf0 && byte <= 0xf4)
        return {4, byte & 0x07u, 0x10000};
    return {0, 0, 0};
}

bool is_control(char32_t c)
{
    const bool is_c0_or_c1 = c < 0x20 || (c >= 0x7f && c <= 0x9f);
    const bool is_line_end = c == 0x2028 || c == 0x2029;
    const bool is_bidirectional = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e)
        || (c >= 0x2066 && c <= 0x2069);
    return is_c0_or_c1 || is_line_end || is_bidirectional || c == 0xfeff;
}

bool is_blank(char32_t c)
{
    const bool is_white_space = c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0xa0 || c == 0x1680
        || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
    const bool is_unseen = c == 0xad || c == 0x034f || c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 || c == 0x180e
        || (c >= 0x200b && c <= 0x200d) || (c >= 0x2060 && c <= 0x2064) || c == 0x2800 || c == 0x3164 || c == 0xfeff
        || c == 0xffa0 || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
    return is_white_space || is_unseen;
}

} // namespace

CodePoint next_code_point(std::string_view text)
{
    const Lead lead = read_lead(static_cast<unsigned char>(text[0]));
    if (lead.bytes == 0 || text.size() < lead.bytes)
        return {};
    char32_t value = lead.bits;
    for (std::size_t i = 1; i < lead.bytes; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte & 0xc0u) != 0x80)
            return {};
        value = value << 6 | (byte & 0x3fu);
    }
    const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < lead.smallest || is_surrogate || value > 0x10ffff)
        return {};
    return {value, lead.bytes, true, !is_control(value), is_blank(value)};
}

} // namespace safetp
