#include "client/server_name.h"

#include "base/zoned_address.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace safetp::client {

namespace {

constexpr std::size_t kMaxHost = 253; // RFC 1035 section 2.3.4, as text

/// 10.0.0.300, 127.1, 0x7f.1: what the C library would take for an address of its own spelling.
bool ends_in_number(std::string_view text)
{
    const std::string_view label = text.substr(text.rfind('.') + 1);
    const bool is_hexadecimal = label.starts_with("0x") || label.starts_with("0X");
    return label.find_first_not_of(is_hexadecimal ? "xX0123456789abcdefABCDEF" : "0123456789") == std::string_view::npos;
}

/// Without a dot at its end.
bool is_host_name(std::string_view text)
{
    return !text.empty() && text.size() <= kMaxHost && text.front() != '.' && text.front() != '-' && text.back() != '.'
        && text.find("..") == std::string_view::npos && !ends_in_number(text)
        && std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; });
}

std::unexpected<Error> complain(std::string_view text, const char* what)
{
    return fail(ErrorCode::bad_address, 0, "\"" + std::string(text) + "\" " + what);
}

} // namespace

Result<ServerName> ServerName::make(std::string_view host, std::uint16_t port)
{
    std::string_view bare = host;
    const bool has_brackets = bare.size() > 2 && bare.front() == '[' && bare.back() == ']';
    if (has_brackets)
        bare = bare.substr(1, bare.size() - 2);
    if (port == 0)
        return complain(host, "has port 0, which no server can have");
    if (const auto address = ZonedAddress::parse(bare))
        return ServerName{.host = address->to_string(), .port = port};
    if (bare.ends_with('.'))
        bare.remove_suffix(1);
    if (has_brackets || !is_host_name(bare))
        return complain(host, "is neither a host name nor an IP address");
    std::string name(bare);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return ServerName{.host = std::move(name), .port = port};
}

Result<ServerName> ServerName::parse(std::string_view text, std::uint16_t default_port)
{
    const std::size_t colon = text.rfind(':');
    const bool is_bare_ipv6 = !text.starts_with('[') && colon != text.find(':');
    const bool has_port = colon != std::string_view::npos && !is_bare_ipv6 && !text.ends_with(']');
    if (!has_port)
        return make(text, default_port);
    if (text.starts_with('[') && text[colon - 1] != ']')
        return complain(text, "is not HOST, HOST:PORT or [IPV6]:PORT");
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port == 0)
        return complain(text, "has no port from 1 to 65535 behind its colon");
    return make(text.substr(0, colon), port);
}

std::string ServerName::to_string() const
{
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

} // namespace safetp::client
