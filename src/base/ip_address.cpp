#include "base/ip_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>

namespace safetp {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

unsigned address_bits(const IpAddress& address) { return address.is_ipv4() ? 32 : 128; }

} // namespace

IpAddress IpAddress::from_ipv4(std::array<std::uint8_t, 4> bytes)
{
    IpAddress address;
    std::ranges::copy(bytes, address.bytes_.begin());
    return address;
}

IpAddress IpAddress::from_ipv6(const std::array<std::uint8_t, 16>& bytes, std::uint32_t scope)
{
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()))
        return from_ipv4({bytes[12], bytes[13], bytes[14], bytes[15]});
    IpAddress address;
    address.family_ = Family::ipv6;
    address.bytes_ = bytes;
    address.scope_ = scope;
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text)
{
    const std::string terminated(text);
    if (terminated.find('\0') != std::string::npos)
        return fail(ErrorCode::bad_address, 0, "an address with a NUL in it");
    std::array<std::uint8_t, 4> ipv4{};
    if (::inet_pton(AF_INET, terminated.c_str(), ipv4.data()) == 1)
        return from_ipv4(ipv4);
    std::array<std::uint8_t, 16> ipv6{};
    if (::inet_pton(AF_INET6, terminated.c_str(), ipv6.data()) == 1)
        return from_ipv6(ipv6);
    return fail(ErrorCode::bad_address, 0, terminated);
}

bool IpAddress::is_unspecified() const
{
    return std::ranges::all_of(bytes_, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const
{
    if (is_ipv4())
        return bytes_[0] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_multicast_or_broadcast() const
{
    return is_ipv4() ? bytes_[0] >= 224 : bytes_[0] == 0xff;
}

std::array<std::uint8_t, 4> IpAddress::ipv4_bytes() const { return {bytes_[0], bytes_[1], bytes_[2], bytes_[3]}; }

std::string IpAddress::to_string() const
{
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(is_ipv4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
}

std::string Endpoint::to_string() const
{
    const std::string host = address.is_ipv4() ? address.to_string() : "[" + address.to_string() + "]";
    return host + ":" + std::to_string(port);
}

Result<Network> Network::parse(std::string_view text)
{
    const auto slash = text.find('/');
    const auto base = IpAddress::parse(text.substr(0, slash));
    if (!base)
        return std::unexpected(base.error());
    Network network{*base, address_bits(*base)};
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), network.prefix_bits);
        const bool is_number = error == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
        if (!is_number || network.prefix_bits > address_bits(*base))
            return fail(ErrorCode::bad_address, 0, std::string(text));
    }
    return network;
}

bool Network::contains(const IpAddress& address) const
{
    if (address.family() != base.family())
        return false;
    const unsigned whole_bytes = prefix_bits / 8;
    if (!std::equal(base.bytes().begin(), base.bytes().begin() + whole_bytes, address.bytes().begin()))
        return false;
    const unsigned rest = prefix_bits % 8;
    if (rest == 0)
        return true;
    const unsigned mask = (0xff00u >> rest) & 0xffu;
    return (base.bytes()[whole_bytes] & mask) == (address.bytes()[whole_bytes] & mask);
}

SocketAddress to_socket_address(const Endpoint& endpoint)
{
    SocketAddress result;
    if (endpoint.address.is_ipv4()) {
        sockaddr_in ipv4{};
        ipv4.sin_family = AF_INET;
        ipv4.sin_port = htons(endpoint.port);
        std::memcpy(&ipv4.sin_addr, endpoint.address.bytes().data(), sizeof ipv4.sin_addr);
        std::memcpy(&result.storage, &ipv4, sizeof ipv4);
        result.length = sizeof ipv4;
        return result;
    }
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(endpoint.port);
    ipv6.sin6_scope_id = endpoint.address.scope();
    std::memcpy(&ipv6.sin6_addr, endpoint.address.bytes().data(), sizeof ipv6.sin6_addr);
    std::memcpy(&result.storage, &ipv6, sizeof ipv6);
    result.length = sizeof ipv6;
    return result;
}

Result<Endpoint> from_socket_address(const SocketAddress& address)
{
    if (address.storage.ss_family == AF_INET) {
        sockaddr_in ipv4;
        std::memcpy(&ipv4, &address.storage, sizeof ipv4);
        std::array<std::uint8_t, 4> bytes;
        std::memcpy(bytes.data(), &ipv4.sin_addr, bytes.size());
        return Endpoint{IpAddress::from_ipv4(bytes), ntohs(ipv4.sin_port)};
    }
    if (address.storage.ss_family == AF_INET6) {
        sockaddr_in6 ipv6;
        std::memcpy(&ipv6, &address.storage, sizeof ipv6);
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &ipv6.sin6_addr, bytes.size());
        return Endpoint{IpAddress::from_ipv6(bytes, ipv6.sin6_scope_id), ntohs(ipv6.sin6_port)};
    }
    return fail(ErrorCode::bad_address, 0, "socket of another family than IPv4 or IPv6");
}

Result<Endpoint> local_endpoint(int fd)
{
    SocketAddress address;
    if (::getsockname(fd, address.get(), &address.length) != 0)
        return fail(ErrorCode::system_call, errno, "getsockname");
    return from_socket_address(address);
}

Result<Endpoint> peer_endpoint(int fd)
{
    SocketAddress address;
    if (::getpeername(fd, address.get(), &address.length) != 0)
        return fail(ErrorCode::system_call, errno, "getpeername");
    return from_socket_address(address);
}

} // namespace safetp
