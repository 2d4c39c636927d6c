// Patterns that are compared with a text: a daemon, a host name, an address as text, a user. hosts_access(5), "PATTERNS".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::access {

/// Whether the pattern (ALL, KNOWN, `.suffix`, `prefix.`, wildcards, `[IPv6]`, or the text itself) matches. ASCII case is
/// ignored. A subject ::ffff:d.d.d.d is taken as d.d.d.d.
bool matches_text(std::string_view pattern, std::string_view subject);

/// `*` and `?` over the whole subject, in time proportional to the product of the lengths at worst. As with libwrap, `**` at
/// the end needs a character where `*` does not.
bool matches_wildcards(std::string_view pattern, std::string_view subject);

bool has_wildcards(std::string_view pattern);

/// Digits, dots and slashes only: libwrap compares such a pattern with addresses and asks for no name.
bool is_numeric(std::string_view pattern);

/// Digits, dots and wildcards, at least one digit and one wildcard: 10.*, 10.1.2.?.
bool is_address_with_wildcards(std::string_view pattern);

/// `::ffff:10.1.2.3` without its first seven characters; anything else as it is.
std::string_view without_mapped_prefix(std::string_view address);

/// What libwrap's scan of a daemon token as an unsigned number gives: nothing when it is no number or too large for a port.
std::optional<std::uint16_t> port_number(std::string_view token);

struct Ipv6Text {
    std::array<std::uint8_t, 16> bytes{};
    std::string scope;  ///< what stands after %, or empty
};

/// What getaddrinfo(3) takes for a numeric IPv6 address. A scope must be an interface of this machine or a number.
std::optional<Ipv6Text> parse_ipv6(std::string_view text);

/// Four parts as inet_addr(3) reads them, octal and hexadecimal ones too; not 255.255.255.255, which inet_addr cannot tell from
/// an error. In host byte order.
std::optional<std::uint32_t> parse_ipv4_loosely(std::string_view text);

/// Four decimal numbers without leading zeros: the only spelling that getnameinfo(3) yields.
std::optional<std::uint32_t> parse_ipv4(std::string_view text);

} // namespace safetp::access
