#include "supervisor/listeners.h"

#include "base/zoned_address.h"
#include "supervisor/upgrade.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

namespace safetp::supervisor {

namespace {

enum class Sharing { none, reuse_port };

std::string describe_address(const config::Listener& listener)
{
    return listener.address ? to_zoned_string({*listener.address, listener.port}) : fmt::format("port {}", listener.port);
}

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

/// Binds without listening.
Result<UniqueFd> bind_socket(const Endpoint& endpoint, bool is_dual_stack, Sharing sharing)
{
    const SocketAddress address = to_socket_address(endpoint);
    UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        return fail(ErrorCode::system_call, errno, "socket");
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (sharing == Sharing::reuse_port)
        set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (!endpoint.address.is_ipv4())
        set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, is_dual_stack ? 0 : 1);
    if (::bind(fd.get(), address.get(), address.length) != 0)
        return fail(ErrorCode::system_call, errno, to_zoned_string(endpoint));
    return fd;
}

Result<UniqueFd> bind_listener(const config::Listener& listener, Sharing sharing)
{
    if (listener.address)
        return bind_socket({*listener.address, listener.port}, false, sharing);
    auto both = bind_socket({IpAddress::from_ipv6({}), listener.port}, true, sharing);
    const bool has_no_ipv6 = !both && (both.error().os_error == EAFNOSUPPORT || both.error().os_error == EADDRNOTAVAIL);
    return has_no_ipv6 ? bind_socket({IpAddress(), listener.port}, false, sharing) : std::move(both);
}

/// SO_REUSEPORT would let a second safetpd of the same user share the port in silence: ask for it alone first.
Result<void> probe(const config::Listener& listener)
{
    const auto alone = bind_listener(listener, Sharing::none);
    const bool is_listening = alone && ::listen(alone->get(), 1) == 0;
    if (alone && is_listening)
        return {};
    return fail(ErrorCode::system_call, alone ? errno : alone.error().os_error, describe_address(listener));
}

Result<UniqueFd> open_listener(const config::Listener& listener)
{
    auto fd = bind_listener(listener, Sharing::reuse_port);
    if (!fd)
        return fail(ErrorCode::system_call, fd.error().os_error, describe_address(listener));
    if (::listen(fd->get(), SOMAXCONN) != 0)
        return fail(ErrorCode::system_call, errno, describe_address(listener));
    return fd;
}

/// Where the sockets listen. Several may share an address and port (SO_REUSEPORT); each of those has a queue of its own.
std::vector<Endpoint> distinct_endpoints(const std::vector<UniqueFd>& sockets)
{
    std::vector<Endpoint> result;
    for (const UniqueFd& fd : sockets) {
        const Endpoint where = local_endpoint(fd.get()).value_or(Endpoint{});
        if (std::ranges::find(result, where) == result.end())
            result.push_back(where);
    }
    return result;
}

std::vector<UniqueFd> take_all_at(const Endpoint& where, std::vector<UniqueFd>& sockets)
{
    std::vector<UniqueFd> result;
    for (UniqueFd& fd : sockets) {
        if (fd && local_endpoint(fd.get()).value_or(Endpoint{}) == where)
            result.push_back(std::move(fd));
    }
    return result;
}

} // namespace

Result<InheritedSockets> take_inherited_sockets()
{
    const int count = ::sd_listen_fds(1);
    if (count < 0)
        return fail(ErrorCode::system_call, -count, "LISTEN_FDS");
    InheritedSockets result{{}, is_successor() ? InheritedFit::exact : InheritedFit::any};
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
        result.sockets.emplace_back(fd);
        const bool is_tcp = ::sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 || ::sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0;
        if (!is_tcp)
            return fail(ErrorCode::supervisor, 0, fmt::format("inherited descriptor {} is not a listening TCP socket", fd));
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return result;
}

Result<ListenerSet> ListenerSet::open(const std::vector<config::Listener>& listeners, unsigned workers,
    const ListenerSet& previous, InheritedSockets inherited)
{
    const std::vector<Endpoint> endpoints = distinct_endpoints(inherited.sockets);
    const auto matches = match_inherited(listeners, endpoints, inherited.fit);

    ListenerSet set;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const config::Listener& wanted = listeners[i];
        Entry entry{wanted.address, wanted.port, matches[i].has_value(), {}};
        if (matches[i])
            entry.sockets = take_all_at(endpoints[*matches[i]], inherited.sockets);
        for (const Entry& old : previous.entries_) {
            if (old.address != wanted.address || old.port != wanted.port || matches[i])
                continue;
            entry.is_inherited = old.is_inherited;
            for (const UniqueFd& fd : old.sockets)
                entry.sockets.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
        }
        if (entry.sockets.empty()) {
            if (const auto is_free = probe(wanted); !is_free)
                return std::unexpected(is_free.error());
        }
        while (!entry.is_inherited && entry.sockets.size() < workers) {
            auto fd = open_listener(wanted);
            if (!fd)
                return std::unexpected(fd.error());
            entry.sockets.push_back(std::move(*fd));
        }
        set.entries_.push_back(std::move(entry));
    }
    return set;
}

std::vector<ListeningSocket> ListenerSet::for_worker(unsigned index, unsigned workers) const
{
    std::vector<ListeningSocket> result;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        for (const std::size_t k : sockets_of_worker(index, workers, entries_[i].sockets.size()))
            result.push_back({entries_[i].sockets[k].get(), i});
    }
    return result;
}

std::vector<int> ListenerSet::all() const
{
    std::vector<int> result;
    for (const Entry& entry : entries_) {
        for (const UniqueFd& fd : entry.sockets)
            result.push_back(fd.get());
    }
    return result;
}

std::vector<std::string> ListenerSet::addresses() const
{
    std::vector<std::string> result;
    for (const Entry& entry : entries_)
        result.push_back(to_zoned_string(local_endpoint(entry.sockets.front().get()).value_or(Endpoint{})));
    return result;
}

} // namespace safetp::supervisor
