// Loopback sockets for tests, made without the code under test. Every call fails by an exception.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cerrno>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace safetp::net::test {

inline void require(bool holds, const char* what)
{
    if (!holds)
        throw std::system_error(errno, std::generic_category(), what);
}

/// The value, or an exception that says why there is none.
template <typename T>
T value_of(Result<T> result)
{
    if (!result)
        throw std::runtime_error(describe(result.error()));
    return std::move(*result);
}

/// An address of 127/8 that no other test program listens on at the same time.
inline IpAddress own_address()
{
    const auto pid = static_cast<unsigned>(::getpid());
    const auto byte = [pid](unsigned shift) { return static_cast<std::uint8_t>(1 + (pid >> shift) % 250); };
    return IpAddress::from_ipv4({127, byte(14), byte(7), byte(0)});
}

inline UniqueFd bound_socket(const Endpoint& endpoint)
{
    UniqueFd fd(::socket(endpoint.address.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress address = to_socket_address(endpoint);
    require(::bind(fd.get(), address.get(), address.length) == 0, "bind");
    return fd;
}

inline UniqueFd listening_socket(const Endpoint& endpoint, int backlog = 16)
{
    UniqueFd fd = bound_socket(endpoint);
    require(::listen(fd.get(), backlog) == 0, "listen");
    return fd;
}

inline UniqueFd connected_socket(const Endpoint& target, const Endpoint& source)
{
    UniqueFd fd = bound_socket(source);
    const SocketAddress address = to_socket_address(target);
    require(::connect(fd.get(), address.get(), address.length) == 0, "connect");
    return fd;
}

struct SocketPair {
    UniqueFd ours;
    UniqueFd peer; ///< blocking
};

inline SocketPair tcp_pair()
{
    const Endpoint anywhere{own_address(), 0};
    const UniqueFd listener = listening_socket(anywhere);
    SocketPair pair;
    pair.peer = connected_socket(value_of(local_endpoint(listener.get())), anywhere);
    pair.ours.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    require(static_cast<bool>(pair.ours), "accept");
    return pair;
}

inline void wait_readable(int fd)
{
    pollfd entry{fd, POLLIN, 0};
    require(::poll(&entry, 1, 60'000) == 1, "poll"); // the time is a safety net only
}

/// Something has come, or the end, or a connection.
inline bool is_readable_now(int fd)
{
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

inline void write_text(int fd, std::string_view text)
{
    require(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()), "send");
}

/// What one read brings; empty at the end, an exception with its errno where the connection broke.
inline std::string read_some(int fd)
{
    wait_readable(fd);
    char buffer[65536];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    require(got >= 0, "recv");
    return std::string(buffer, static_cast<std::size_t>(got));
}

/// 0 where the peer has ended in order, else the errno with which it broke off.
inline int how_it_ended(int fd)
{
    try {
        while (!read_some(fd).empty()) {
        }
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

} // namespace safetp::net::test
