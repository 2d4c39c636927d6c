// Small things about text that several parts of the tables' language need. Bytes, never characters of a locale.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace safetp::access {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// isspace(3) of the C locale.
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline bool equal_ignoring_case(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

inline bool starts_with_ignoring_case(std::string_view text, std::string_view start)
{
    return text.size() >= start.size() && equal_ignoring_case(text.substr(0, start.size()), start);
}

inline std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

/// Where the first `delimiter` stands that is not inside brackets, or npos. Brackets are counted, not paired, as libwrap does:
/// after a stray `]` or an unclosed `[` there is none.
inline std::size_t find_outside_brackets(std::string_view text, char delimiter)
{
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '[')
            ++depth;
        else if (text[i] == ']')
            --depth;
        else if (depth == 0 && text[i] == delimiter)
            return i;
    }
    return std::string_view::npos;
}

/// The words of a daemon or client list, one after the other. hosts_access(5): "separated by blanks and/or commas".
class Words {
public:
    explicit Words(std::string_view list) : rest_(list) { }

    /// The next word; empty at the end.
    std::string_view next()
    {
        constexpr std::string_view kSeparators = ", \t\r\n";
        const std::size_t start = std::min(rest_.find_first_not_of(kSeparators), rest_.size());
        const std::size_t end = std::min(rest_.find_first_of(kSeparators, start), rest_.size());
        const std::string_view word = rest_.substr(start, end - start);
        rest_.remove_prefix(end);
        return word;
    }

private:
    std::string_view rest_;
};

} // namespace safetp::access
