// IP addresses, endpoints and networks as values. IPv4-mapped IPv6 (::ffff:a.b.c.d) is IPv4 here, always: a peer has one
// spelling in every comparison, rule and log line.
#pragma once

#include "base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace safetp {

class IpAddress {
public:
    enum class Family { ipv4, ipv6 };

    IpAddress() = default; ///< 0.0.0.0

    /// inet_pton's spellings only: no octal, hexadecimal or short forms, no scope, no brackets.
    static Result<IpAddress> parse(std::string_view text);
    static IpAddress from_ipv4(std::array<std::uint8_t, 4> bytes);
    static IpAddress from_ipv6(const std::array<std::uint8_t, 16>& bytes, std::uint32_t scope = 0);

    Family family() const { return family_; }
    bool is_ipv4() const { return family_ == Family::ipv4; }
    bool is_unspecified() const; ///< 0.0.0.0 or ::
    bool is_loopback() const;
    bool is_multicast_or_broadcast() const;
    std::array<std::uint8_t, 4> ipv4_bytes() const; ///< only for IPv4
    const std::array<std::uint8_t, 16>& bytes() const { return bytes_; } ///< IPv4 stands in the first four
    std::uint32_t scope() const { return scope_; }                      ///< interface of a link-local address, or 0
    std::string to_string() const;

    auto operator<=>(const IpAddress&) const = default;

private:
    Family family_ = Family::ipv4;
    std::array<std::uint8_t, 16> bytes_{};
    std::uint32_t scope_ = 0;
};

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;

    std::string to_string() const; ///< 192.0.2.1:21, [2001:db8::1]:21
    auto operator<=>(const Endpoint&) const = default;
};

/// A block of addresses: 192.0.2.0/24, 2001:db8::/32, or one address.
struct Network {
    IpAddress base;
    unsigned prefix_bits = 32;

    static Result<Network> parse(std::string_view text);
    bool contains(const IpAddress& address) const;
    auto operator<=>(const Network&) const = default;
};

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);

    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint);
Result<Endpoint> from_socket_address(const SocketAddress& address);
Result<Endpoint> local_endpoint(int fd); ///< getsockname(2)
Result<Endpoint> peer_endpoint(int fd);  ///< getpeername(2)

} // namespace safetp
