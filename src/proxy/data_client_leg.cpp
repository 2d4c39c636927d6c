// The client's leg of a pair of data connections: where we go, its TLS, and its end when the transfer is refused. Who may come:
// data_trials.cpp.
#include "base/log.h"
#include "proxy/data_attempt.h"

#include <algorithm>
#include <utility>

namespace safetp::proxy {

using ftp::DataFailure;
using Kind = tls::IoStep::Kind;

net::Task<DataChannel::Outcome> DataChannel::reach_client(Attempt& attempt)
{
    if (attempt.is_client_over())
        co_return std::nullopt;
    Outcome failure;
    if (attempt.client_listener)
        failure = co_await choose_client(attempt);
    else
        failure = co_await dial_client(attempt);
    if (failure || attempt.is_client_over())
        co_return failure;
    attempt.client_listener.reset();
    if (!attempt.is_started)
        co_await attempt.started.wait();
    if (attempt.is_client_over())
        co_return std::nullopt;
    if (attempt.is_tls_begun && !attempt.is_protected)
        co_return DataFailure::handshake_failed; // PROT C came after the ClientHello
    co_return std::nullopt;
}

net::Task<DataChannel::Outcome> DataChannel::dial_client(Attempt& attempt)
{
    if (!attempt.is_started)
        co_await attempt.started.wait();
    if (attempt.is_client_over())
        co_return std::nullopt;
    attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::client_unreachable);
    const auto reach = net::reach_between(peers_.client_side, peers_.client.address);
    const auto connected
        = co_await net::connect(attempt.client, attempt.executor, *attempt.client_target, peers_.client_side, reach);
    if (!connected)
        co_return DataFailure::client_unreachable;
    if (!attempt.is_protected)
        co_return std::nullopt;
    attempt.expect_within(environment_.config.timeouts.handshake, DataFailure::handshake_failed);
    co_return co_await secure_client(attempt, *attempt.client, attempt.is_tls_begun);
}

net::Task<DataChannel::Outcome> DataChannel::secure_client(Attempt& attempt, net::Channel& client, bool& is_tls_begun)
{
    co_await wait_for_first_byte(attempt, client);
    if (attempt.is_client_over() || !client.is_open())
        co_return DataFailure::handshake_failed;
    is_tls_begun = true;
    if (!begin_tls(client))
        co_return DataFailure::handshake_failed;
    const auto step = co_await client.shake_hands();
    if (attempt.is_client_over())
        co_return std::nullopt;
    if (step.kind == Kind::failed)
        log::Event(log::Level::notice, session_, "data-tls-failed", "data connection: " + describe(step.error));
    if (step.kind != Kind::done)
        co_return DataFailure::handshake_failed;
    note_used_ticket(client);
    co_return judge_handshake(client.stream().handshake_info());
}

// Whatever becomes of the transfer: a client that uses tickets once needs another.
void DataChannel::note_used_ticket(net::Channel& client)
{
    has_resumed_ = has_resumed_ || client.stream().handshake_info().is_bound;
}

// A refusal may come before it, and must find a client that has said nothing on a plain connection.
net::Task<> DataChannel::wait_for_first_byte(Attempt& attempt, net::Channel& client)
{
    std::byte first{};
    while (!attempt.is_client_over() && client.is_open() && client.stream().try_peek(first).kind == Kind::want_read) {
        net::acknowledge_at_once(client.fd());
        co_await client.wait(Kind::want_read);
    }
}

bool DataChannel::begin_tls(net::Channel& client)
{
    const bool may_resume = front_.listener.session_reuse != config::SessionReuse::off;
    return client.stream().start_tls(*front_.tls, tls::Purpose::data, may_resume ? ticket_key_ : nullptr).has_value();
}

DataChannel::Outcome DataChannel::judge_handshake(const tls::HandshakeInfo& info) const
{
    if (front_.listener.session_reuse == config::SessionReuse::require && !info.is_bound) {
        log::Event(log::Level::notice, session_, "data-not-resumed",
            "data connection did not resume the control connection's TLS session, which session_reuse = \"require\" asks for");
        return DataFailure::not_resumed;
    }
    if (info.client_fingerprint != client_fingerprint_) {
        log::Event(
            log::Level::warning, session_, "data-other-certificate", "data connection came with another client certificate");
        return DataFailure::wrong_certificate;
    }
    return std::nullopt;
}

// ---- the end of a transfer that was refused

// Closing the port resets whoever waits at it.
void DataChannel::take_who_waits(Attempt& attempt)
{
    if (attempt.client || !attempt.comers.empty() || !attempt.client_listener || !attempt.client_listener->is_open())
        return;
    auto accepted = net::try_accept(attempt.client_listener->fd());
    if (accepted && accepted->fd && is_from_client(accepted->peer.address))
        attempt.client.emplace(attempt.executor, std::move(accepted->fd));
}

// A client that has begun TLS, or does now, hears close_notify: to many TLS libraries a FIN in the handshake is an error, which
// is told in place of the refusal.
net::Task<> DataChannel::part_in_order(Attempt& attempt, net::Channel& client, bool is_tls_begun)
{
    if (attempt.is_protected && !is_tls_begun && co_await shows_hello(attempt, client))
        is_tls_begun = begin_tls(client);
    if (is_tls_begun) {
        const auto step = co_await client.shake_hands();
        if (step.kind == Kind::done) {
            note_used_ticket(client);
            co_await send_close_notify(attempt, client);
        }
    }
    client.end_in_order();
    co_await linger(attempt.executor, client);
}

net::Task<bool> DataChannel::shows_hello(Attempt& attempt, net::Channel& client)
{
    constexpr std::chrono::seconds kTimeForHello{1}; // it was on its way when the refusal was: a round trip
    attempt.expect_within(std::min(kTimeForHello, environment_.config.timeouts.data_close), DataFailure::stalled);
    attempt.is_looking_for_hello = true;
    while (attempt.is_looking_for_hello && client.is_open()) {
        std::byte first{};
        const auto step = client.stream().try_peek(first);
        if (step.kind != Kind::want_read)
            co_return step.kind == Kind::done && first == tls::kHandshakeRecord;
        co_await client.wait(step.kind);
    }
    co_return false;
}

} // namespace safetp::proxy
