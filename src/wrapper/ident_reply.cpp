#include "wrapper/ident_reply.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace safetp::wrapper {

namespace {

constexpr std::string_view kBlanks = " \t\n\v\f\r";

/// Reads an answer from its beginning. Every step fails on what it does not expect, and fails ever after.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    void skip_blanks() { text_.remove_prefix(std::min(text_.find_first_not_of(kBlanks), text_.size())); }

    bool take_port(std::uint16_t expected)
    {
        skip_blanks();
        std::uint16_t port = 0;
        const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), port);
        if (error != std::errc() || port != expected)
            return false;
        text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        return true;
    }

    bool take_word(std::string_view word)
    {
        skip_blanks();
        if (!text_.starts_with(word))
            return false;
        text_.remove_prefix(word.size());
        return true;
    }

    /// The operating system's field: anything but nothing.
    bool skip_to_colon()
    {
        const std::size_t colon = text_.find(':');
        if (colon == std::string_view::npos || colon == 0)
            return false;
        text_.remove_prefix(colon + 1);
        return true;
    }

    std::string_view take_until_blank()
    {
        skip_blanks();
        return text_.substr(0, text_.find_first_of(kBlanks));
    }

private:
    std::string_view text_;
};

} // namespace

std::string ident_query(const IdentPorts& ports) { return fmt::format("{},{}\r\n", ports.client, ports.server); }

bool is_ident_reply_complete(std::string_view received)
{
    return received.size() >= kMaxIdentBytes || received.find('\n') != std::string_view::npos;
}

std::optional<std::string> parse_ident_reply(std::string_view received, const IdentPorts& ports)
{
    if (!is_ident_reply_complete(received))
        return std::nullopt;
    received = received.substr(0, kMaxIdentBytes);
    received = received.substr(0, received.find('\n'));
    received = received.substr(0, received.find('\0')); // where libwrap's reading of it ends
    Scanner scanner(received);
    const bool is_answer = scanner.take_port(ports.client) && scanner.take_word(",") && scanner.take_port(ports.server)
        && scanner.take_word(":") && scanner.take_word("USERID") && scanner.take_word(":") && scanner.skip_to_colon();
    if (!is_answer)
        return std::nullopt;
    const std::string_view user = scanner.take_until_blank();
    if (user.empty())
        return std::nullopt;
    return std::string(user.substr(0, kMaxUserBytes));
}

} // namespace safetp::wrapper
