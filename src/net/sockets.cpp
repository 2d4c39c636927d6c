#include "net/sockets.h"

#include <algorithm>
#include <cerrno>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <numeric>
#include <sys/ioctl.h>
#include <sys/random.h>

namespace safetp::net {

namespace {

constexpr int kBacklog = 16; // strangers that knock at a data port must not crowd the client out

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

Result<UniqueFd> open_socket(const IpAddress& address)
{
    UniqueFd fd(::socket(address.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        return fail(ErrorCode::system_call, errno, "socket");
    return fd;
}

bool stands_in_for_others = false;

/// To an address that may be another machine's, where a transparent proxy stands in for it: ip(7), IP_TRANSPARENT.
bool bind_to(int fd, const Endpoint& endpoint)
{
    const SocketAddress address = to_socket_address(endpoint);
    if (::bind(fd, address.get(), address.length) == 0)
        return true;
    if (errno != EADDRNOTAVAIL || !stands_in_for_others)
        return false;
    const int on = 1;
    const bool is_ipv4 = endpoint.address.is_ipv4();
    const bool is_allowed = ::setsockopt(fd, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_TRANSPARENT : IPV6_TRANSPARENT,
        &on, sizeof on) == 0;
    if (!is_allowed)
        errno = EADDRNOTAVAIL;
    return is_allowed && ::bind(fd, address.get(), address.length) == 0;
}

// Nothing where the port is taken; a new socket for each try, since one that failed to listen stays bound.
Result<UniqueFd> try_listen(const Endpoint& endpoint)
{
    auto fd = open_socket(endpoint.address);
    if (!fd)
        return fd;
    set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1); // ports in TIME_WAIT are free for a listener
    if (!bind_to(fd->get(), endpoint) || ::listen(fd->get(), kBacklog) != 0) {
        if (errno == EADDRINUSE)
            return UniqueFd();
        return fail(ErrorCode::system_call, errno, "listen on " + endpoint.to_string());
    }
    return fd;
}

unsigned random_below(unsigned bound)
{
    unsigned value = 0;
    while (::getrandom(&value, sizeof value, 0) != sizeof value) {
    }
    return value % bound; // the bias is below 2^-16 for ports
}

} // namespace

void stand_in_for_others() { stands_in_for_others = true; }

Result<UniqueFd> listen_in_range(const IpAddress& address, PortRange range)
{
    const unsigned count = range.last - range.first + 1u;
    // A walk with a random start and a random stride visits every port once where stride and count have no common factor.
    const unsigned start = random_below(count);
    unsigned stride = 1 + random_below(count);
    while (std::gcd(stride, count) != 1)
        ++stride;
    for (unsigned i = 0; i < count; ++i) {
        const auto offset = (start + static_cast<std::uint64_t>(i) * stride) % count;
        auto fd = try_listen({address, static_cast<std::uint16_t>(range.first + offset)});
        if (!fd || *fd)
            return fd;
    }
    return fail(ErrorCode::no_free_port);
}

Result<Accepted> try_accept(int listener)
{
    for (;;) {
        SocketAddress address;
        UniqueFd fd(::accept4(listener, address.get(), &address.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            const auto peer = from_socket_address(address);
            if (!peer)
                continue;
            return Accepted{std::move(fd), *peer};
        }
        if (errno == EAGAIN)
            return Accepted{};
        const bool died_in_queue = errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == ENETDOWN
            || errno == EHOSTUNREACH || errno == ENETUNREACH;
        if (!died_in_queue)
            return fail(ErrorCode::system_call, errno, "accept");
    }
}

Reach reach_between(const IpAddress& here, const IpAddress& there)
{
    const bool is_one = here == there || (here.is_loopback() && there.is_loopback());
    return is_one ? Reach::this_machine : Reach::anywhere;
}

// Before the connection is there: an algorithm that has begun to pace leaves its pauses behind. "reno" every kernel has, and
// everybody may have it.
void set_reach(int fd, Reach reach)
{
    if (reach == Reach::this_machine)
        ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

Task<Result<void>> connect(std::optional<Channel>& place, Executor executor, Endpoint target, std::optional<IpAddress> source,
    Reach reach)
{
    auto fd = open_socket(target.address);
    if (!fd)
        co_return std::unexpected(fd.error());
    set_reach(fd->get(), reach);
    if (source) {
        set_option(fd->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (!bind_to(fd->get(), {*source, 0}))
            co_return fail(ErrorCode::connect_failed, errno, "bind to " + source->to_string());
    }
    place.emplace(executor, std::move(*fd));
    const SocketAddress address = to_socket_address(target);
    if (::connect(place->fd(), address.get(), address.length) == 0)
        co_return Result<void>();
    if (errno != EINPROGRESS)
        co_return fail(ErrorCode::connect_failed, errno, target.to_string());
    const bool is_ready = co_await place->wait(tls::IoStep::Kind::want_write);
    if (!is_ready)
        co_return fail(ErrorCode::cancelled, 0, target.to_string());
    if (const int error = pending_error(place->fd()); error != 0)
        co_return fail(ErrorCode::connect_failed, error, target.to_string());
    co_return Result<void>();
}

void enable_keepalive(int fd, int idle_seconds)
{
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, idle_seconds / 4));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

void disable_nagle(int fd) { set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

void acknowledge_at_once(int fd) { set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1); }

void reset_on_close(int fd, bool is_on)
{
    const linger at_once{.l_onoff = is_on ? 1 : 0, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void keep_urgent_data_inline(int fd) { set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1); }

int pending_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

bool is_connection_over(int fd)
{
    tcp_info info{};
    socklen_t length = sizeof info;
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || info.tcpi_state == TCP_CLOSE;
}

std::size_t unacknowledged_bytes(int fd)
{
    int bytes = 0;
    if (::ioctl(fd, SIOCOUTQ, &bytes) != 0 || bytes < 0)
        return 0;
    return static_cast<std::size_t>(bytes);
}

} // namespace safetp::net
