#include "client/passages.h"

#include "net/sockets.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <utility>

namespace safetp::client {

namespace {

/// A program that does not wait for connect(2) is made to, because a connection with us says nothing of the one with the
/// server. Not for long: it has other things to do.
constexpr std::chrono::seconds kHold{1};

} // namespace

Passages::Passages(const net::Executor& executor, std::chrono::seconds keepalive, Answer answer)
    : executor_(executor)
    , keepalive_(keepalive)
    , answer_(std::move(answer))
{
}

net::Task<> Passages::dial(Dialling& dialling, Endpoint target, std::optional<IpAddress> source)
{
    diallings_.insert(&dialling);
    const auto connected = co_await net::connect(dialling.server, executor_, target, source);
    diallings_.erase(&dialling);
    if (!connected)
        dialling.error = connected.error().os_error != 0 ? connected.error().os_error : ECONNABORTED;
    dialling.over.notify();
}

net::Task<std::optional<Passages::Found>> Passages::carry(ConnectCall call)
{
    ++carried_;
    Dialling dialling(executor_);
    net::TaskGroup tasks(executor_);
    tasks.spawn("dial", dial(dialling, call.target, call.source()));
    bool is_over = false;
    if (call.is_blocking()) {
        co_await dialling.over.wait(); // the kernel's own limit counts
        is_over = true;
    } else {
        is_over = co_await dialling.over.wait_until(net::Clock::now() + kHold);
    }
    std::optional<Found> found;
    if (is_over && dialling.error != 0) {
        answer_(call.id, dialling.error);
    } else {
        LedHere led = lead_here(call);
        answer_(call.id, led.error);
        const Endpoint target = call.target;
        call.socket.reset(); // the program's own again: its close is one
        if (!led.fd && dialling.server)
            dialling.server->close();
        co_await tasks.all_done();
        if (led.fd)
            found = co_await pass(dialling, std::move(led), target);
    }
    co_await tasks.all_done();
    co_return found;
}

net::Task<std::optional<Passages::Found>> Passages::pass(Dialling& dialling, LedHere led, const Endpoint& target)
{
    net::Channel client(executor_, std::move(led.fd));
    if (dialling.error != 0) {
        client.reset();
        co_return std::nullopt;
    }
    net::Channel& server = *dialling.server;
    net::disable_nagle(client.fd()); // what the program's own socket holds back is held back; nothing is twice
    net::disable_nagle(server.fd());
    net::enable_keepalive(server.fd(), static_cast<int>(keepalive_.count()));
    proxy::Passage passage(executor_, client, server);
    passages_.insert(&passage);
    if (is_finishing_)
        passage.finish();
    const auto outcome = co_await passage.run();
    passages_.erase(&passage);
    if (outcome == proxy::Passage::Outcome::ended)
        co_return std::nullopt;
    server.reset();
    Found found{.client = UniqueFd(::fcntl(client.fd(), F_DUPFD_CLOEXEC, 0)), .peer = led.peer, .target = target,
        .overheard = {std::string(passage.said()), passage.was_greeted()}};
    if (!found.client)
        client.reset(); // no descriptor is left: ended, and not sent in clear
    co_return found.client ? std::optional(std::move(found)) : std::nullopt;
}

void Passages::finish()
{
    is_finishing_ = true;
    for (Dialling* dialling : diallings_)
        dialling->server->close(); // which ends it, in its own time
    for (proxy::Passage* passage : std::set(passages_))
        passage->finish();
}

} // namespace safetp::client
