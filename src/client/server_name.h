// A server as its user names it: what pins are remembered under. Pure.
#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace safetp::client {

constexpr std::uint16_t kFtpPort = 21;
constexpr std::uint16_t kImplicitPort = 990;

/// One server has one spelling: names in lower case without a last dot, addresses as IpAddress writes them.
struct ServerName {
    std::string host; ///< no brackets
    std::uint16_t port = kFtpPort;

    /// HOST, HOST:PORT, [IPV6]:PORT or IPV6. bad_address with a sentence that says what is wrong.
    static Result<ServerName> parse(std::string_view text, std::uint16_t default_port = kFtpPort);
    /// From parts that were taken apart already; `host` may be in brackets.
    static Result<ServerName> make(std::string_view host, std::uint16_t port);

    std::string to_string() const; ///< always with the port: ftp.example.com:21, [2001:db8::1]:990
    auto operator<=>(const ServerName&) const = default;
};

} // namespace safetp::client
