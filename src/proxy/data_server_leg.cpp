// The server's leg of a pair of data connections: one that comes to us, and on a client side its TLS.
#include "base/log.h"
#include "proxy/data_attempt.h"

#include <array>

namespace safetp::proxy {

using ftp::DataFailure;
using Kind = tls::IoStep::Kind;

void DataChannel::expect_transfer()
{
    if (!current_)
        return;
    current_->is_expected = true;
    limit_connecting(*current_);
    current_->expected.notify();
}

net::Task<DataChannel::Outcome> DataChannel::accept_server(Attempt& attempt)
{
    attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::server_unreachable);
    for (;;) {
        auto accepted = net::try_accept(attempt.server_listener->fd());
        if (!accepted)
            co_return DataFailure::server_unreachable;
        if (!accepted->fd) {
            co_await attempt.server_listener->wait(Kind::want_read);
            if (attempt.is_abandoned)
                co_return std::nullopt;
            continue;
        }
        if (accepted->peer.address != peers_.server.address)
            continue;
        attempt.server.emplace(attempt.executor, std::move(accepted->fd));
        attempt.server_listener.reset();
        co_return std::nullopt;
    }
}

// Servers begin TLS before or after their 150, so it must not be waited for; but not before the transfer's command either: a
// transfer that is refused would use up a ticket.
net::Task<DataChannel::Outcome> DataChannel::secure_server(Attempt& attempt)
{
    if (!attempt.is_expected)
        co_await attempt.expected.wait();
    if (attempt.is_abandoned)
        co_return std::nullopt;
    if (attempt.server_listener) {
        const Outcome absent = co_await accept_server(attempt);
        if (absent || attempt.is_abandoned)
            co_return absent;
    }
    attempt.expect_within(environment_.config.timeouts.handshake, DataFailure::server_not_secured);
    const Outcome unsafe = co_await shake_hands_with_server(attempt);
    if (attempt.is_abandoned)
        co_return std::nullopt;
    if (unsafe)
        attempt.server->reset(); // it waits for us otherwise, and only then says in its own words what it thinks of it
    else
        attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::client_not_connected);
    co_return unsafe;
}

net::Task<DataChannel::Outcome> DataChannel::shake_hands_with_server(Attempt& attempt)
{
    tls::Stream& stream = attempt.server->stream();
    if (!stream.start_tls(*server_tls_, tls::Purpose::data))
        co_return DataFailure::server_not_secured;
    attempt.is_securing_server = true;
    const auto step = co_await attempt.server->shake_hands();
    attempt.is_securing_server = false;
    if (attempt.is_doomed)
        attempt.server->reset();
    if (attempt.is_abandoned)
        co_return std::nullopt;
    if (step.kind == Kind::failed) {
        // A server that refuses the transfer closes it, too; that is no news.
        const bool is_other_key = step.error.code == ErrorCode::tls_other_key;
        log::Event(is_other_key ? log::Level::warning : log::Level::info, session_, "data-tls-failed",
            "data connection: " + describe(step.error));
    }
    if (step.kind != Kind::done)
        co_return DataFailure::server_not_secured;
    const tls::HandshakeInfo& info = stream.handshake_info();
    log::Event(log::Level::debug, session_, "data-tls", "TLS begins on the data connection")
        .with("version", info.version).with("resumed", info.is_resumed ? "yes" : "no");
    co_return std::nullopt;
}

// After an upload: tickets and a close_notify that nobody has read would make our close a RST, which can take the end of the
// file from the server's hands.
net::Task<> DataChannel::read_farewell(Attempt& attempt)
{
    std::array<std::byte, 512> unread;
    while (!attempt.is_abandoned) {
        const auto step = attempt.server->stream().try_read(unread);
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            break;
        if (step.kind == Kind::done)
            co_await net::yield(attempt.executor);
        else
            co_await attempt.server->wait(step.kind);
    }
}

} // namespace safetp::proxy
