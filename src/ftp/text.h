// ASCII case, independent of the locale: what FTP's verbs and parameters are compared in (RFC 959 section 5.3).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace safetp::ftp {

constexpr char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

inline std::string upper_case(std::string_view text)
{
    std::string result(text);
    std::ranges::transform(result, result.begin(), to_upper);
    return result;
}

inline bool equals_ignoring_case(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, {}, to_upper, to_upper);
}

/// The names that stand for anybody (RFC 1635; "ftp" by custom).
inline bool is_anonymous(std::string_view user)
{
    return equals_ignoring_case(user, "anonymous") || equals_ignoring_case(user, "ftp");
}

template <typename Range, typename T>
bool contains(const Range& range, const T& value) // std::ranges::contains is not in libstdc++ 12
{
    return std::ranges::find(range, value) != range.end();
}

} // namespace safetp::ftp
