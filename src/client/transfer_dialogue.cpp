#include "client/transfer_dialogue.h"

#include <algorithm>
#include <charconv>

namespace safetp::client {

namespace {

constexpr std::string_view kDigits = "0123456789";

/// All of `digits`, which are nothing but digits, and no more than fit.
std::optional<std::int64_t> parse_count(std::string_view digits)
{
    std::int64_t count = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, count);
    const bool is_count = !digits.empty() && digits.find_first_not_of(kDigits) == std::string_view::npos;
    return is_count && error == std::errc() && stopped == end ? std::optional(count) : std::nullopt;
}

/// "150 Opening BINARY mode data connection for file (1234 bytes)."
std::optional<std::int64_t> parse_bytes_in_parentheses(std::string_view line)
{
    const std::size_t end = line.rfind(" bytes)");
    const std::size_t begin = end == std::string_view::npos ? end : line.rfind('(', end);
    return begin == std::string_view::npos ? std::nullopt : parse_count(line.substr(begin + 1, end - begin - 1));
}

} // namespace

std::optional<std::int64_t> parse_size_reply(std::string_view line)
{
    constexpr std::string_view kCode = "213 ";
    if (!line.starts_with(kCode))
        return std::nullopt;
    line.remove_prefix(kCode.size());
    while (line.ends_with(' '))
        line.remove_suffix(1);
    return parse_count(line);
}

void TransferDialogue::sent(std::string_view line) { verb_ = line.substr(0, line.find(' ')); }

void TransferDialogue::heard(std::string_view line)
{
    answered_.clear();
    const bool is_reply = line.size() >= 3 && line.find_first_not_of(kDigits) >= 3;
    if (!is_reply) // also what libcurl makes up for HTTP's sake, as Last-Modified
        return;
    last_reply_ = line;
    if (line.size() > 3 && line[3] == '-')
        return;
    if (line.front() == '1') {
        has_transfer_ = true;
        size_in_150_ = parse_bytes_in_parentheses(line);
        return;
    }
    answered_ = verb_;
    if (verb_ == "SIZE")
        (has_transfer_ ? size_afterwards_ : size_) = parse_size_reply(line);
}

} // namespace safetp::client
