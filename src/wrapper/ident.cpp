#include "wrapper/ident.h"

#include "access/request.h"
#include "base/unique_fd.h"
#include "wrapper/ident_reply.h"

#include <cerrno>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string_view>

namespace safetp::wrapper {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kIdentPort = 113;

/// One exchange on a non-blocking socket until the deadline.
class Exchange {
public:
    Exchange(UniqueFd fd, Clock::time_point deadline) : fd_(std::move(fd)), deadline_(deadline) {}

    bool connect(const SocketAddress& peer)
    {
        if (::connect(fd_.get(), peer.get(), peer.length) == 0)
            return true;
        if (errno != EINPROGRESS || !wait(POLLOUT))
            return false;
        int error = 0;
        socklen_t length = sizeof error;
        return ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
    }

    bool send(std::string_view text)
    {
        while (!text.empty()) {
            const ssize_t count = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (count >= 0)
                text.remove_prefix(static_cast<std::size_t>(count));
            else if (!may_try_again(POLLOUT))
                return false;
        }
        return true;
    }

    /// What came until it was enough; none where the other end stopped before.
    std::optional<std::string> receive()
    {
        std::string received;
        while (!is_ident_reply_complete(received)) {
            char buffer[kMaxIdentBytes];
            const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
            if (count > 0)
                received.append(buffer, static_cast<std::size_t>(count));
            else if (count == 0 || !may_try_again(POLLIN))
                return std::nullopt;
        }
        return received;
    }

private:
    bool may_try_again(short events) { return errno == EINTR || (errno == EAGAIN && wait(events)); }

    bool wait(short events)
    {
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
            pollfd entry{fd_.get(), events, 0};
            const int ready = left > 0 ? ::poll(&entry, 1, static_cast<int>(left)) : 0;
            if (ready >= 0 || errno != EINTR)
                return ready > 0;
        }
    }

    UniqueFd fd_;
    Clock::time_point deadline_;
};

SocketAddress with_port(SocketAddress address, std::uint16_t port)
{
    if (address.storage.ss_family == AF_INET)
        reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
    else
        reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
    return address;
}

std::uint16_t port_of(const SocketAddress& address)
{
    return ntohs(address.storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port
                                                      : reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
}

bool may_be_asked(const SocketAddress& client, const SocketAddress& server)
{
    const sa_family_t family = client.storage.ss_family;
    return family == server.storage.ss_family && (family == AF_INET || family == AF_INET6);
}

} // namespace

std::string ask_ident(const SocketAddress& client, const SocketAddress& server, std::chrono::milliseconds time)
{
    if (!may_be_asked(client, server))
        return access::kUnknown;
    UniqueFd fd(::socket(client.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const SocketAddress own = with_port(server, 0);
    if (!fd || ::bind(fd.get(), own.get(), own.length) != 0)
        return access::kUnknown;
    const IdentPorts ports{port_of(client), port_of(server)};
    Exchange exchange(std::move(fd), Clock::now() + time);
    if (!exchange.connect(with_port(client, kIdentPort)) || !exchange.send(ident_query(ports)))
        return access::kUnknown;
    const std::optional<std::string> reply = exchange.receive();
    return reply ? parse_ident_reply(*reply, ports).value_or(access::kUnknown) : access::kUnknown;
}

} // namespace safetp::wrapper
