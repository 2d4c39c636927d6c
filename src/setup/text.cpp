#include "setup/text.h"

#include "base/utf8.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace safetp::setup {

namespace {

constexpr std::string_view kBlanks = " \t\r";

char to_lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

} // namespace

std::vector<Line> split_lines(std::string_view text)
{
    std::vector<Line> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t newline = std::min(text.find('\n', begin), text.size());
        const std::size_t end = std::min(newline + 1, text.size());
        lines.push_back({text.substr(begin, newline - begin), begin, end, static_cast<unsigned>(lines.size() + 1)});
        begin = end;
    }
    return lines;
}

std::vector<Word> split_words(std::string_view text)
{
    std::vector<Word> words;
    for (std::size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
        const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
        words.push_back({text.substr(begin, end - begin), begin});
        begin = text.find_first_not_of(kBlanks, end);
    }
    return words;
}

std::string_view trim(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(kBlanks);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text)
{
    std::string copy(text);
    std::ranges::transform(copy, copy.begin(), to_lower);
    return copy;
}

bool equals_ignoring_case(std::string_view one, std::string_view other) { return lower(one) == lower(other); }

std::string_view base_name(std::string_view path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view directory_name(std::string_view path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos || slash == 0 ? std::string_view("/") : path.substr(0, slash);
}

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || rest != text.data() + text.size() || port == 0)
        return std::nullopt;
    return port;
}

std::string printable(std::string_view text)
{
    std::string out;
    while (!text.empty()) {
        const CodePoint point = next_code_point(text);
        if (point.is_printable || text.front() == '\t')
            out += text.substr(0, point.bytes);
        else
            for (const char letter : text.substr(0, point.bytes))
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(letter));
        text.remove_prefix(point.bytes);
    }
    return out;
}

std::string json_string(std::string_view text)
{
    std::string out = "\"";
    while (!text.empty()) {
        const CodePoint point = next_code_point(text);
        if (text.front() == '"' || text.front() == '\\')
            out += '\\', out += text.front();
        else if (point.is_printable)
            out += text.substr(0, point.bytes);
        else // bytes that are no UTF-8 as U+0080 to U+00FF: nothing is lost
            for (const char letter : text.substr(0, point.bytes))
                out += fmt::format("\\u{:04x}", static_cast<unsigned char>(letter));
        text.remove_prefix(point.bytes);
    }
    return out + '"';
}

} // namespace safetp::setup
