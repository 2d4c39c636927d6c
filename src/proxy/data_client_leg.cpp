// The client's leg of a pair of data connections: who may come, where we go, and its TLS.
#include "base/log.h"
#include "proxy/data_attempt.h"

#include <algorithm>
#include <utility>

namespace safetp::proxy {

using ftp::DataFailure;
using Kind = tls::IoStep::Kind;

// Where any address may come, only the TLS session tells the client from a stranger: one that cannot show it is sent away and
// the door stays open. Elsewhere the first connection from the client's address decides.
net::Task<DataChannel::Outcome> DataChannel::reach_client(Attempt& attempt)
{
    while (!attempt.is_client_over()) {
        if (attempt.client_listener) {
            const Outcome failure = co_await accept_client(attempt);
            if (failure || attempt.is_client_over())
                co_return failure;
            co_await wait_for_start_or_hello(attempt);
        } else {
            co_await wait_for_start(attempt);
        }
        if (attempt.is_client_over())
            co_return std::nullopt;
        if (attempt.client_target) {
            attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::client_unreachable);
            const auto reach = net::reach_between(peers_.client_side, peers_.client.address);
            const auto connected = co_await net::connect(
                attempt.client, attempt.executor, *attempt.client_target, peers_.client_side, reach);
            if (!connected)
                co_return DataFailure::client_unreachable;
        }
        attempt.is_on_trial = environment_.config.data.peer == config::DataPeer::any && attempt.client_listener;
        Outcome failure;
        if (attempt.is_protected)
            failure = co_await secure_client(attempt);
        const bool may_be_stranger = std::exchange(attempt.is_on_trial, false);
        if (attempt.is_client_over())
            co_return std::nullopt;
        if (failure && may_be_stranger) {
            attempt.is_tls_begun = false;
            attempt.client.reset();
            attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::client_not_connected);
            continue;
        }
        attempt.client_listener.reset();
        if (failure)
            co_return failure;
        co_await wait_for_start(attempt);
        if (attempt.is_tls_begun && !attempt.is_protected)
            co_return DataFailure::handshake_failed; // PROT C came after the ClientHello
        co_return std::nullopt;
    }
    co_return std::nullopt;
}

net::Task<> DataChannel::wait_for_start(Attempt& attempt)
{
    if (!attempt.is_started && !attempt.is_client_over())
        co_await attempt.started.wait();
}

// Under PROT P a client may begin TLS before its transfer's command. curl does, and puts off its next command for 200 ms in the
// hope of our answer. PROT may still change until the transfer starts (RFC 4217 section 10.2), so nothing but a ClientHello
// begins TLS here.
net::Task<> DataChannel::wait_for_start_or_hello(Attempt& attempt)
{
    while (attempt.is_protected && !attempt.is_started && !attempt.is_client_over()) {
        std::byte first{};
        const auto step = attempt.client->stream().try_peek(first);
        if (step.kind == Kind::done && first == tls::kHandshakeRecord)
            co_return;
        if (step.kind != Kind::want_read)
            break;
        attempt.is_looking_for_hello = true;
        co_await attempt.client->wait(Kind::want_read);
        attempt.is_looking_for_hello = false;
    }
    co_await wait_for_start(attempt);
}

bool DataChannel::is_from_client(const IpAddress& address) const
{
    switch (environment_.config.data.peer) {
    case config::DataPeer::same_address: return address == peers_.client.address;
    case config::DataPeer::same_network: return Network{peers_.client.address, address.is_ipv4() ? 24u : 64u}.contains(address);
    case config::DataPeer::any: return true;
    }
    return false;
}

net::Task<DataChannel::Outcome> DataChannel::accept_client(Attempt& attempt)
{
    for (;;) {
        auto accepted = net::try_accept(attempt.client_listener->fd());
        if (!accepted)
            co_return DataFailure::client_not_connected;
        if (!accepted->fd) {
            co_await attempt.client_listener->wait(Kind::want_read);
            if (attempt.is_client_over())
                co_return std::nullopt;
            continue;
        }
        if (is_from_client(accepted->peer.address)) {
            attempt.client.emplace(attempt.executor, std::move(accepted->fd));
            co_return std::nullopt;
        }
        log::Event(log::Level::warning, session_, "data-stranger", "data connection from a stranger refused")
            .with("stranger", accepted->peer.address);
        co_await net::yield(attempt.executor);
        if (attempt.is_client_over())
            co_return std::nullopt;
    }
}

net::Task<DataChannel::Outcome> DataChannel::secure_client(Attempt& attempt)
{
    attempt.expect_within(environment_.config.timeouts.handshake, DataFailure::handshake_failed);
    co_await wait_for_first_byte(attempt);
    if (attempt.is_client_over())
        co_return std::nullopt;
    if (!begin_tls(attempt))
        co_return DataFailure::handshake_failed;
    const auto step = co_await attempt.client->shake_hands();
    if (attempt.is_client_over())
        co_return std::nullopt;
    if (step.kind == Kind::failed)
        log::Event(log::Level::notice, session_, "data-tls-failed", "data connection: " + describe(step.error));
    if (step.kind != Kind::done)
        co_return DataFailure::handshake_failed;
    const tls::HandshakeInfo& info = attempt.client->stream().handshake_info();
    has_resumed_ = has_resumed_ || info.is_bound;
    co_return judge_handshake(info);
}

// A refusal may come before it, and must find a client that has said nothing on a plain connection.
net::Task<> DataChannel::wait_for_first_byte(Attempt& attempt)
{
    std::byte first{};
    while (!attempt.is_client_over() && attempt.client->stream().try_peek(first).kind == Kind::want_read) {
        net::acknowledge_at_once(attempt.client->fd());
        co_await attempt.client->wait(Kind::want_read);
        if (!attempt.client->is_open())
            co_return;
    }
}

bool DataChannel::begin_tls(Attempt& attempt)
{
    attempt.is_tls_begun = true;
    // Under "off" no ticket fits: each data connection makes a full handshake.
    const bool may_resume = front_.listener.session_reuse != config::SessionReuse::off;
    const auto& binding = may_resume ? binding_ : tls::make_session_binding();
    return attempt.client->stream().start_tls(*front_.tls, tls::Purpose::data, binding).has_value();
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
    if (attempt.client || !attempt.client_listener || !attempt.client_listener->is_open())
        return;
    auto accepted = net::try_accept(attempt.client_listener->fd());
    if (accepted && accepted->fd && is_from_client(accepted->peer.address))
        attempt.client.emplace(attempt.executor, std::move(accepted->fd));
}

// A client that has begun TLS, or does now, hears close_notify: to many TLS libraries a FIN in the handshake is an error, which
// is told in place of the refusal.
net::Task<> DataChannel::part_in_order(Attempt& attempt)
{
    net::Channel& client = *attempt.client;
    if (attempt.is_protected && !attempt.is_tls_begun && co_await shows_hello(attempt))
        begin_tls(attempt);
    if (attempt.is_tls_begun) {
        const auto step = co_await client.shake_hands();
        if (step.kind == Kind::done)
            co_await send_close_notify(attempt, client);
    }
    client.end_in_order();
    co_await linger(attempt);
}

net::Task<bool> DataChannel::shows_hello(Attempt& attempt)
{
    constexpr std::chrono::seconds kTimeForHello{1}; // it was on its way when the refusal was: a round trip
    attempt.expect_within(std::min(kTimeForHello, environment_.config.timeouts.data_close), DataFailure::stalled);
    attempt.is_looking_for_hello = true;
    while (attempt.is_looking_for_hello && attempt.client->is_open()) {
        std::byte first{};
        const auto step = attempt.client->stream().try_peek(first);
        if (step.kind != Kind::want_read) {
            attempt.is_looking_for_hello = false;
            co_return step.kind == Kind::done && first == tls::kHandshakeRecord;
        }
        co_await attempt.client->wait(step.kind);
    }
    co_return false;
}

} // namespace safetp::proxy
