#include "client/proxy_service.h"

#include "base/log.h"
#include "client/exit_codes.h"
#include "net/sockets.h"
#include "net/tasks.h"

#include <csignal>
#include <string_view>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::client {

namespace {

using log::Level;
using tls::IoStep;

sigset_t stop_signals()
{
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    return signals;
}

UniqueFd open_signals()
{
    const sigset_t signals = stop_signals();
    return UniqueFd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

class Proxy {
public:
    explicit Proxy(ProxyStart start)
        : destination_(std::move(start.destination))
        , interception_(start.interception)
        , drain_limit_(start.settings.config.timeouts.drain)
        , engine_(io_.get_executor(), start.settings, std::move(start.resources))
        , signals_(io_.get_executor(), open_signals())
        , tasks_(io_.get_executor())
    {
        if (interception_ == Interception::tproxy)
            net::stand_in_for_others();
        for (UniqueFd& listener : start.listeners)
            listeners_.emplace_back(io_.get_executor(), std::move(listener));
    }

    int run()
    {
        tasks_.spawn("name service", engine_.run());
        tasks_.spawn("signals", obey_signals());
        for (net::Channel& listener : listeners_)
            tasks_.spawn("accept", accept_clients(listener));
        io_.run();
        return kExitOk;
    }

private:
    net::Task<> accept_clients(net::Channel& listener);
    void receive(net::Accepted accepted, int listener);
    void refuse(const net::Accepted& accepted, std::string_view reply, std::string_view why);
    net::Task<> serve(UniqueFd client, Endpoint peer, std::optional<proxy::Destination> destination);
    net::Task<> obey_signals();
    net::Task<> drain();
    void stop();
    void leave_if_done();

    asio::io_context io_{1}; // first: what its tasks refer to must go after them; and this object is never destroyed
    std::optional<proxy::Destination> destination_;
    std::optional<Interception> interception_;
    std::chrono::seconds drain_limit_;
    Engine engine_;
    std::deque<net::Channel> listeners_;
    net::Channel signals_;
    bool is_stopping_ = false;
    net::TaskGroup tasks_;
};

net::Task<> Proxy::accept_clients(net::Channel& listener)
{
    net::Timer pause(io_.get_executor());
    while (!is_stopping_) {
        auto accepted = net::try_accept(listener.fd());
        if (!accepted) {
            // Out of descriptors or memory: accepting at once again would only spin (accept(2), EMFILE).
            log::Event(Level::error, 0, "accept-failed", describe(accepted.error()) + "; accepting again in a second");
            pause.expires_after(std::chrono::seconds(1));
            co_await net::wait(pause);
            continue;
        }
        if (!accepted->fd) {
            co_await listener.wait(IoStep::Kind::want_read);
            continue;
        }
        receive(std::move(*accepted), listener.fd());
        co_await net::yield(io_.get_executor());
    }
}

void Proxy::receive(net::Accepted accepted, int listener)
{
    if (!engine_.has_room())
        return refuse(accepted, "421 Too many connections, please try again later.\r\n", "too many sessions");
    if (!engine_.has_room_for(accepted.peer.address))
        return refuse(accepted, "421 Too many connections from your address, please close others first.\r\n",
            "too many sessions of this client");
    std::optional<proxy::Destination> destination = destination_;
    if (interception_) {
        const auto here = local_endpoint(listener);
        const auto dialled = original_destination(accepted.fd.get(), *interception_, here ? here->port : 0);
        if (!dialled)
            return refuse(accepted,
                "421 This is a proxy for connections that are redirected to it; dial the FTP server itself.\r\n",
                describe(dialled.error()));
        destination = proxy::Destination{
            .host = dialled->address.to_string(), .port = dialled->port, .address = dialled->address, .is_impersonated = true};
    }
    tasks_.spawn("session", serve(std::move(accepted.fd), accepted.peer, std::move(destination)));
}

void Proxy::refuse(const net::Accepted& accepted, std::string_view reply, std::string_view why)
{
    log::Event(Level::warning, 0, "refused", "refused: " + std::string(why)).with("client", accepted.peer.address);
    const auto ignored = ::send(accepted.fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    static_cast<void>(ignored); // a client that cannot take one line is not owed it
}

net::Task<> Proxy::serve(UniqueFd client, Endpoint peer, std::optional<proxy::Destination> destination)
{
    proxy::Overheard nothing;
    co_await engine_.serve(std::move(client), peer, std::move(destination), std::move(nothing));
    leave_if_done();
}

net::Task<> Proxy::obey_signals()
{
    for (;;) {
        signalfd_siginfo signal{};
        if (::read(signals_.fd(), &signal, sizeof signal) != sizeof signal) {
            co_await signals_.wait(IoStep::Kind::want_read);
            continue;
        }
        if (is_stopping_)
            ::_exit(kExitOk);
        stop();
    }
}

void Proxy::stop()
{
    is_stopping_ = true;
    log::Event(Level::info, 0, "stopping", "stopping: no new clients").with("sessions", engine_.sessions());
    for (net::Channel& listener : listeners_)
        listener.close();
    tasks_.spawn("drain", drain());
    leave_if_done();
}

net::Task<> Proxy::drain()
{
    co_await engine_.drain(drain_limit_);
    ::_exit(kExitOk);
}

void Proxy::leave_if_done()
{
    if (is_stopping_ && engine_.sessions() == 0)
        io_.stop();
}

} // namespace

void block_stop_signals()
{
    const sigset_t signals = stop_signals();
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

int run_proxy(ProxyStart start)
{
    // Never destroyed: the process ends with it, and the frames of tasks that still wait refer to it.
    auto* const proxy = new Proxy(std::move(start));
    return proxy->run();
}

} // namespace safetp::client
