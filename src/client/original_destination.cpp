#include "client/original_destination.h"

#include <cerrno>
#include <netinet/in.h>

namespace safetp::client {

namespace {

// linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h, which cannot be included beside netinet/in.h.
constexpr int kSoOriginalDst = 80;
constexpr int kIp6tSoOriginalDst = 80;

Result<Endpoint> before_nat(int fd, const Endpoint& here)
{
    const bool is_ipv4 = here.address.is_ipv4();
    SocketAddress address;
    address.length = is_ipv4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    const int level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (::getsockopt(fd, level, is_ipv4 ? kSoOriginalDst : kIp6tSoOriginalDst, address.get(), &address.length) != 0)
        return fail(ErrorCode::bad_address, errno, "the kernel does not know of a redirection");
    return from_socket_address(address);
}

} // namespace

Result<Endpoint> original_destination(int fd, Interception how, std::uint16_t listen_port)
{
    const auto here = local_endpoint(fd);
    if (!here)
        return here;
    const auto wanted = how == Interception::redirect ? before_nat(fd, *here) : here;
    if (!wanted)
        return wanted;
    // Without the scope, which only one of the two calls knows of a link-local address.
    const bool is_unchanged = wanted->port == here->port && wanted->address.bytes() == here->address.bytes();
    const bool is_ours = how == Interception::redirect ? is_unchanged : here->port == listen_port;
    if (is_ours || wanted->address.is_unspecified() || wanted->port == 0)
        return fail(ErrorCode::bad_address, 0, "the connection was not redirected");
    return wanted;
}

} // namespace safetp::client
