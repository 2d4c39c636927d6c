#include "client/connect_calls.h"

#include "base/log.h"
#include "client/watch_filter.h"
#include "net/sockets.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace safetp::client {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLoopbackLimit{5};
constexpr unsigned kPidfdThread = O_EXCL; // PIDFD_THREAD, pidfd_open(2)

/// What the program has passed to connect(2).
struct Arguments {
    int fd = -1;
    std::uint64_t address = 0;
    std::size_t length = 0;
};

enum class Sight { seen, hidden, nothing }; ///< nothing: a bad pointer or descriptor, the kernel may judge; hidden: not known

Sight read_memory(pid_t thread, std::uint64_t from, void* to, std::size_t bytes)
{
    const iovec here{to, bytes};
    const iovec there{reinterpret_cast<void*>(from), bytes};
    const ssize_t got = ::process_vm_readv(thread, &here, 1, &there, 1, 0);
    if (got == static_cast<ssize_t>(bytes))
        return Sight::seen;
    return got >= 0 || errno == EFAULT ? Sight::nothing : Sight::hidden;
}

/// Of socketcall(2): at most the first four words of what its second argument points to.
using Words = std::array<std::uint32_t, 4>;

bool is_fast_open(SocketCall which, const Words& words)
{
    const std::uint32_t flags = which == SocketCall::sendmsg ? words[2] : words[3];
    return which != SocketCall::connect && (flags & MSG_FASTOPEN) != 0;
}

Sight read_words(const seccomp_notif& call, Words& words)
{
    const auto which = static_cast<SocketCall>(call.data.args[0]);
    const bool has_three = which == SocketCall::connect || which == SocketCall::sendmsg;
    return read_memory(static_cast<pid_t>(call.pid), call.data.args[1], words.data(), (has_three ? 3 : 4) * sizeof words[0]);
}

Arguments arguments_of(const seccomp_data& call)
{
    const auto length = static_cast<std::int32_t>(call.args[2]);
    return {static_cast<int>(call.args[0]), call.args[1], length > 0 ? static_cast<std::size_t>(length) : 0};
}

/// Nothing: no address of the internet's.
std::optional<Endpoint> read_target(pid_t thread, const Arguments& arguments, Sight& sight)
{
    SocketAddress address;
    const std::size_t length = std::min(arguments.length, sizeof address.storage);
    if (length < sizeof(sockaddr_in))
        return std::nullopt; // most likely a UNIX socket; the kernel judges
    sight = read_memory(thread, arguments.address, &address.storage, length);
    const int family = address.storage.ss_family;
    constexpr std::size_t kShortestIpv6 = offsetof(sockaddr_in6, sin6_scope_id); // RFC 2133 had no scope
    if (sight != Sight::seen || (family != AF_INET && (family != AF_INET6 || length < kShortestIpv6)))
        return std::nullopt;
    address.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    const auto endpoint = from_socket_address(address);
    return endpoint ? std::optional(*endpoint) : std::nullopt;
}

/// The kernel names the thread; pidfd_open(2) can take one since Linux 6.9, before that only the process.
pid_t process_of(pid_t thread)
{
    std::ifstream status("/proc/" + std::to_string(thread) + "/status");
    for (std::string word; status >> word;) {
        pid_t process = -1;
        if (word == "Tgid:" && status >> process)
            return process;
    }
    return thread;
}

UniqueFd fetch_socket(pid_t thread, int fd)
{
    UniqueFd owner(static_cast<int>(::syscall(SYS_pidfd_open, thread, kPidfdThread)));
    if (!owner && errno == EINVAL)
        owner.reset(static_cast<int>(::syscall(SYS_pidfd_open, process_of(thread), 0)));
    return UniqueFd(owner ? static_cast<int>(::syscall(SYS_pidfd_getfd, owner.get(), fd, 0)) : -1);
}

int socket_option(int socket, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

bool is_tcp(int socket)
{
    const int protocol = socket_option(socket, SO_PROTOCOL);
    const bool falls_back_to_tcp = socket_option(socket, SO_DOMAIN) == AF_SMC;
    return socket_option(socket, SO_TYPE) == SOCK_STREAM
        && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP || falls_back_to_tcp);
}

void let_go_on(int calls, std::uint64_t id)
{
    seccomp_notif_resp response{};
    response.id = id;
    response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ::ioctl(calls, SECCOMP_IOCTL_NOTIF_SEND, &response); // ENOENT: the caller is gone, and so is the question
}

/// What was read belongs to the caller, and not to another process that has got its number meanwhile.
bool is_valid(int calls, std::uint64_t id) { return ::ioctl(calls, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0; }

void refuse_hidden(int calls, const seccomp_notif& call)
{
    log::Event(log::Level::error, 0, "cannot-watch", "refused: a program that cannot be looked into wanted to connect,"
        " perhaps by FTP in clear").with("pid", call.pid);
    answer(calls, call.id, EACCES);
}

/// Nothing: no TCP connection that could be ours. With `data_place` where it is a data connection.
std::optional<ConnectCall::Kind> kind_of(const Endpoint& target, const Concern& concern, std::optional<Endpoint>& data_place)
{
    if (concern.ports.contains(target.port))
        return ConnectCall::Kind::server;
    data_place = concern.data_place_for(target);
    if (data_place)
        return ConnectCall::Kind::data;
    if (target.port == 0 || concern.other_ports.contains(target.port))
        return std::nullopt;
    return ConnectCall::Kind::unknown;
}

bool is_connected(int socket)
{
    SocketAddress peer;
    peer.length = sizeof peer.storage;
    return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) == 0;
}

/// As rsh(1) and NFS take one: whoever listens there would miss it, and no FTP client wants one.
bool has_privileged_port(int socket)
{
    const auto here = local_endpoint(socket);
    return here && here->port != 0 && here->port < IPPORT_RESERVED;
}

/// The kernel only says EISCONN, or that the connection that was begun before stands now.
bool is_for_the_kernel(const ConnectCall& call)
{
    const int socket = call.socket.get();
    return !is_tcp(socket) || is_connected(socket)
        || (call.kind == ConnectCall::Kind::unknown && has_privileged_port(socket));
}

std::optional<ConnectCall> judge_connect(
    int calls, const seccomp_notif& call, const Arguments& arguments, const Concern& concern)
{
    const auto thread = static_cast<pid_t>(call.pid);
    Sight sight = Sight::seen;
    ConnectCall found{.id = call.id, .target = {}, .socket = {}};
    std::optional<ConnectCall::Kind> kind;
    if (const auto target = read_target(thread, arguments, sight)) {
        found.target = *target;
        kind = kind_of(*target, concern, found.data_place);
    }
    if (kind) {
        found.kind = *kind;
        found.socket = fetch_socket(thread, arguments.fd);
        sight = found.socket || errno == EBADF ? sight : Sight::hidden;
    }
    if (!is_valid(calls, call.id))
        return std::nullopt;
    if (sight == Sight::hidden) {
        refuse_hidden(calls, call);
        return std::nullopt;
    }
    if (!found.socket || is_for_the_kernel(found)) {
        let_go_on(calls, call.id);
        return std::nullopt;
    }
    return found;
}

std::optional<ConnectCall> judge(int calls, const seccomp_notif& call, const Concern& concern)
{
    if (!is_socketcall(call.data))
        return judge_connect(calls, call, arguments_of(call.data), concern);
    Words words{};
    const Sight sight = read_words(call, words);
    const auto which = static_cast<SocketCall>(call.data.args[0]);
    if (sight == Sight::seen && which == SocketCall::connect)
        return judge_connect(calls, call, {static_cast<int>(words[0]), words[1], words[2]}, concern);
    if (!is_valid(calls, call.id))
        return std::nullopt;
    if (sight == Sight::hidden)
        refuse_hidden(calls, call);
    else if (sight == Sight::seen && is_fast_open(which, words))
        answer(calls, call.id, EOPNOTSUPP); // as the filter says it to all others
    else
        let_go_on(calls, call.id);
    return std::nullopt;
}

/// `here` for a socket of `domain`: one for IPv6 reaches IPv4 under ::ffff:0:0/96.
SocketAddress address_for(int domain, const Endpoint& here)
{
    SocketAddress address = to_socket_address(here);
    if (domain != AF_INET6 || !here.address.is_ipv4())
        return address;
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = htons(here.port);
    const auto bytes = here.address.ipv4_bytes();
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xFF;
    std::memcpy(&mapped.sin6_addr.s6_addr[12], bytes.data(), bytes.size());
    std::memcpy(&address.storage, &mapped, sizeof mapped);
    address.length = sizeof mapped;
    return address;
}

bool wait_for(int fd, short events, SteadyClock::time_point limit)
{
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - SteadyClock::now()).count();
    pollfd entry{fd, events, 0};
    return left > 0 && ::poll(&entry, 1, static_cast<int>(left)) == 1;
}

/// As connect(2) on a socket that blocks, but not for ever. Gives errno's value.
int connect_within(int socket, const SocketAddress& to, SteadyClock::time_point limit)
{
    if (::connect(socket, to.get(), to.length) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    return wait_for(socket, POLLOUT, limit) ? std::max(socket_option(socket, SO_ERROR), 0) : ETIMEDOUT;
}

/// The program's own mode is the same again afterwards.
int connect_program(int socket, const SocketAddress& to, SteadyClock::time_point limit)
{
    const int off = 0;
    ::setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &off, sizeof off); // it would connect with the first byte only
    const int flags = ::fcntl(socket, F_GETFL);
    if ((flags & O_NONBLOCK) != 0)
        return ::connect(socket, to.get(), to.length) == 0 ? 0 : errno;
    ::fcntl(socket, F_SETFL, flags | O_NONBLOCK);
    const int error = connect_within(socket, to, limit);
    ::fcntl(socket, F_SETFL, flags);
    return error;
}

} // namespace

bool ConnectCall::is_blocking() const { return (::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) == 0; }

std::optional<IpAddress> ConnectCall::source() const
{
    const auto here = local_endpoint(socket.get());
    if (!here || here->address.is_unspecified() || here->address.family() != target.address.family())
        return std::nullopt;
    return here->address;
}

Result<std::optional<ConnectCall>> next_connect(int calls, const Concern& concern)
{
    seccomp_notif call{};
    if (::ioctl(calls, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
        return judge(calls, call, concern);
    if (errno == ENOENT || errno == EINTR || errno == EAGAIN) // the caller was killed meanwhile
        return std::nullopt;
    return fail(ErrorCode::system_call, errno, "seccomp");
}

void answer(int calls, std::uint64_t id, int error)
{
    seccomp_notif_resp response{};
    response.id = id;
    response.error = -error;
    ::ioctl(calls, SECCOMP_IOCTL_NOTIF_SEND, &response); // ENOENT: the caller is gone, and so is the question
}

LedHere lead_here(const ConnectCall& call)
{
    const auto limit = SteadyClock::now() + kLoopbackLimit;
    const int socket = call.socket.get();
    const int domain = socket_option(socket, SO_DOMAIN);
    const IpAddress ipv4 = IpAddress::from_ipv4({127, 0, 0, 1});
    const IpAddress ipv6 = IpAddress::from_ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    const bool wants_ipv6 = domain == AF_INET6 && !call.target.address.is_ipv4();
    auto place = net::listen_in_range(wants_ipv6 ? ipv6 : ipv4, {});
    if (!place && wants_ipv6)
        place = net::listen_in_range(ipv4, {}); // this machine has no ::1
    const auto here = place ? local_endpoint(place->get()) : std::unexpected(place.error());
    if (!here)
        return {.fd = {}, .peer = {}, .error = ENETUNREACH};
    const int error = connect_program(socket, address_for(domain, *here), limit);
    if (error != 0 && error != EINPROGRESS)
        return {.fd = {}, .peer = {}, .error = error};
    const auto its_end = local_endpoint(socket);
    while (its_end && wait_for(place->get(), POLLIN, limit)) {
        auto accepted = net::try_accept(place->get());
        if (!accepted)
            break;
        if (accepted->fd && accepted->peer == *its_end) // anybody else who has found the port in this moment is hung up on
            return {.fd = std::move(accepted->fd), .peer = accepted->peer, .error = error};
    }
    return {.fd = {}, .peer = {}, .error = ETIMEDOUT};
}

int lead_to_data_place(const ConnectCall& call)
{
    const int domain = socket_option(call.socket.get(), SO_DOMAIN);
    return connect_program(call.socket.get(), address_for(domain, *call.data_place), SteadyClock::now() + kLoopbackLimit);
}

} // namespace safetp::client
