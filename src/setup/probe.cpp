#include "setup/probe.h"

#include "base/unique_fd.h"
#include "setup/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>

namespace safetp::setup {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxGreeting = 512;

struct Connection {
    UniqueFd fd;
    Attempt attempt;
    std::string received;
    bool is_connected = false;
    bool is_done = false;
};

void finish(Connection& connection, Attempt::Result result, std::string text)
{
    connection.attempt.result = result;
    connection.attempt.text = printable(text);
    connection.is_done = true;
    connection.fd.reset();
}

Connection dial(const Endpoint& endpoint)
{
    Connection connection;
    connection.attempt.endpoint = endpoint;
    const SocketAddress address = to_socket_address(endpoint);
    connection.fd.reset(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const bool is_under_way
        = connection.fd && (::connect(connection.fd.get(), address.get(), address.length) == 0 || errno == EINPROGRESS);
    if (!is_under_way)
        finish(connection, errno == ECONNREFUSED ? Attempt::Result::refused : Attempt::Result::failed, std::strerror(errno));
    return connection;
}

/// The connection is there, or failed; or a part of the greeting, or the end.
void go_on(Connection& connection)
{
    if (!connection.is_connected) {
        int error = 0;
        socklen_t length = sizeof error;
        ::getsockopt(connection.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0)
            return finish(
                connection, error == ECONNREFUSED ? Attempt::Result::refused : Attempt::Result::failed, std::strerror(error));
        connection.is_connected = true;
        return;
    }
    std::array<char, kMaxGreeting> buffer{};
    const ssize_t count = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    connection.received.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    const std::size_t end = connection.received.find('\n');
    if (count > 0 && end == std::string::npos && connection.received.size() < kMaxGreeting)
        return;
    const std::string line(trim(std::string_view(connection.received).substr(0, std::min(end, kMaxGreeting))));
    finish(connection, line.starts_with("220") ? Attempt::Result::greeted : Attempt::Result::closed, line);
}

} // namespace

std::vector<Attempt> try_endpoints(const std::vector<Endpoint>& endpoints, std::chrono::milliseconds time)
{
    std::vector<Connection> connections;
    for (const Endpoint& endpoint : endpoints) {
        if (connections.size() < kMaxAttempts)
            connections.push_back(dial(endpoint));
    }
    const auto deadline = Clock::now() + time;
    for (;;) {
        std::vector<pollfd> waiting;
        std::vector<Connection*> who;
        for (Connection& connection : connections) {
            if (connection.is_done)
                continue;
            waiting.push_back({connection.fd.get(), static_cast<short>(connection.is_connected ? POLLIN : POLLOUT), 0});
            who.push_back(&connection);
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (waiting.empty() || left.count() <= 0)
            break;
        if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
            break;
        for (std::size_t index = 0; index < waiting.size(); ++index) {
            if (waiting[index].revents != 0)
                go_on(*who[index]);
        }
    }
    std::vector<Attempt> attempts;
    for (Connection& connection : connections) {
        if (!connection.is_done)
            finish(connection, connection.is_connected ? Attempt::Result::silent : Attempt::Result::failed, "");
        attempts.push_back(std::move(connection.attempt));
    }
    return attempts;
}

} // namespace safetp::setup
