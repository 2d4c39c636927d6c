#include "ftp/reply.h"

#include <algorithm>

namespace safetp::ftp {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<int> leading_code(std::string_view line)
{
    if (line.size() < 3 || line[0] < '1' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
        return {};
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

std::string made_safe(std::string_view line)
{
    std::string text(line);
    std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\0'; }, ' ');
    return text;
}

} // namespace

std::optional<ReplyLine> ReplyReader::read(std::string_view line)
{
    const auto code = leading_code(line);
    if (is_inside()) {
        // "The same code, then SP" ends it: lines between may begin with any digits, RFC 959 section 4.2. Some ftpds end it
        // with the code alone.
        const bool is_bare = line.size() == 3;
        const bool is_last = code == code_ && (is_bare || line[3] == ' ');
        ReplyLine result{code_, false, is_last, made_safe(line)};
        if (is_last)
            code_ = 0;
        if (is_last && is_bare)
            result.text += ' ';
        return result;
    }
    if (!code)
        return {};
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (separator != ' ' && separator != '-')
        return {};
    ReplyLine result{*code, true, separator == ' ', made_safe(line)};
    if (line.size() == 3)
        result.text += ' ';
    if (!result.is_last)
        code_ = *code;
    return result;
}

} // namespace safetp::ftp
