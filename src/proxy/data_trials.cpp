// Who may come to the client's data port. An address proves little behind NAT: everybody who comes is on trial until his
// handshake has told who he is, a few at a time, and the door stays open until the client is found (docs/adr/0029).
#include "base/log.h"
#include "proxy/data_attempt.h"

#include <algorithm>
#include <utility>

namespace safetp::proxy {

using ftp::DataFailure;
using Kind = tls::IoStep::Kind;

namespace {

constexpr std::size_t kMostComers = 4;
constexpr std::chrono::seconds kPatience{3}; ///< with one who cannot prove anything, for one who can

} // namespace

net::Task<DataChannel::Outcome> DataChannel::choose_client(Attempt& attempt)
{
    net::TaskGroup trials(attempt.executor);
    trials.spawn("data port", keep_door(attempt, trials));
    std::optional<Choice> choice;
    while (!attempt.is_client_over() && !choice) {
        choice = choose(attempt);
        auto limit = net::Clock::time_point::max();
        if (attempt.patience_ends && *attempt.patience_ends > net::Clock::now())
            limit = *attempt.patience_ends;
        if (!choice)
            co_await attempt.stirred.wait_until(limit);
    }
    if (!attempt.is_client_over())
        admit(attempt, *choice);
    else if (attempt.is_refused)
        take_judged(attempt);
    co_await trials.all_done();
    co_return choice ? choice->failure : std::nullopt;
}

// Refused between his trial's end and his choice: run() ends his connection in order.
void DataChannel::take_judged(Attempt& attempt)
{
    const auto judged = std::ranges::find_if(attempt.comers, [](const auto& comer) { return comer->is_judged; });
    if (judged == attempt.comers.end())
        return;
    attempt.client.emplace(std::move((*judged)->channel));
    attempt.is_tls_begun = (*judged)->is_tls_begun;
    attempt.comers.erase(judged);
}

void DataChannel::admit(Attempt& attempt, const Choice& choice)
{
    if (choice.client != nullptr) {
        attempt.client.emplace(std::move(choice.client->channel));
        attempt.is_tls_begun = choice.client->is_tls_begun;
    }
    attempt.client_listener->close();
    for (const auto& comer : attempt.comers)
        comer->leave();
    attempt.comers.clear();
}

// Nothing: it is not known yet. One who resumes this session's own TLS is the client. One who does not, and need not, is it
// when nobody else is there, or when patience with the others is at its end.
std::optional<DataChannel::Choice> DataChannel::choose(Attempt& attempt)
{
    const auto& comers = attempt.comers;
    const auto bound = std::ranges::find_if(comers, [](const auto& comer) { return comer->is_judged && comer->is_bound; });
    if (bound != comers.end() && attempt.is_protected)
        return Choice{bound->get(), std::nullopt};
    if (attempt.is_door_broken)
        return Choice{nullptr, DataFailure::client_not_connected};
    if (!attempt.is_started)
        return std::nullopt;
    const auto judged = std::ranges::find_if(comers, [](const auto& comer) { return comer->is_judged; });
    const bool can_be_proven = attempt.is_protected && front_.listener.session_reuse != config::SessionReuse::off;
    const bool are_others = judged != comers.end() && comers.size() > 1;
    if (judged != comers.end() && (!can_be_proven || !are_others || is_patience_over(attempt)))
        return Choice{judged->get(), std::nullopt};
    if (!comers.empty() || !attempt.trial_failure || environment_.config.data.peer == config::DataPeer::any)
        return std::nullopt;
    const bool is_proof_required = front_.listener.session_reuse == config::SessionReuse::require;
    if (!is_proof_required || is_patience_over(attempt))
        return Choice{nullptr, attempt.trial_failure};
    return std::nullopt;
}

bool DataChannel::is_patience_over(Attempt& attempt)
{
    const auto now = net::Clock::now();
    if (!attempt.patience_ends)
        attempt.patience_ends = now + kPatience;
    return *attempt.patience_ends <= now;
}

net::Task<> DataChannel::keep_door(Attempt& attempt, net::TaskGroup& trials)
{
    while (!attempt.is_client_over() && attempt.client_listener->is_open()) {
        auto accepted = net::try_accept(attempt.client_listener->fd());
        if (!accepted) {
            attempt.is_door_broken = true;
            co_return attempt.stirred.notify();
        }
        if (!accepted->fd) {
            co_await attempt.client_listener->wait(Kind::want_read);
            continue;
        }
        if (!is_from_client(accepted->peer.address)) {
            log::Event(log::Level::warning, session_, "data-stranger", "data connection from a stranger refused")
                .with("stranger", accepted->peer.address);
            co_await net::yield(attempt.executor);
            continue;
        }
        if (!make_room(attempt)) {
            co_await net::yield(attempt.executor);
            continue;
        }
        auto comer = std::make_shared<Comer>(attempt.executor, std::move(accepted->fd));
        if (attempt.is_started)
            comer->deadline = net::Clock::now() + environment_.config.timeouts.handshake;
        attempt.comers.push_back(comer);
        handlers_.deadline_nearer();
        trials.spawn("data connection on trial", try_comer(attempt, std::move(comer)));
    }
}

/// For one more: whoever has said nothing for longest leaves, or else the newcomer.
bool DataChannel::make_room(Attempt& attempt)
{
    if (attempt.comers.size() < kMostComers)
        return true;
    const auto silent = std::ranges::find_if(attempt.comers, [](const auto& comer) { return !comer->is_tls_begun; });
    if (silent == attempt.comers.end())
        return false;
    (*silent)->leave();
    attempt.comers.erase(silent);
    return true;
}

net::Task<> DataChannel::try_comer(Attempt& attempt, std::shared_ptr<Comer> comer)
{
    co_await wait_for_start_or_hello(attempt, *comer);
    Outcome failure;
    if (attempt.is_protected && !attempt.is_client_over() && comer->channel.is_open())
        failure = co_await secure_client(attempt, comer->channel, comer->is_tls_begun);
    if (attempt.is_refused)
        co_return co_await part_in_order(attempt, comer->channel, comer->is_tls_begun);
    if (attempt.is_client_over() || !std::erase(attempt.comers, comer))
        co_return;
    if (failure) {
        attempt.trial_failure = attempt.trial_failure ? attempt.trial_failure : failure;
        if (comer->channel.is_open() && comer->channel.stream().is_tls())
            comer->channel.stream().try_close_notify();
        comer->leave();
    } else {
        comer->is_judged = true;
        comer->deadline.reset();
        comer->is_bound = comer->is_tls_begun && comer->channel.stream().handshake_info().is_bound;
        attempt.comers.push_back(comer);
    }
    attempt.stirred.notify();
}

// Under PROT P a client may begin TLS before its transfer's command. curl does, and puts off its next command for 200 ms in the
// hope of our answer. PROT may still change until the transfer starts (RFC 4217 section 10.2), so nothing but a ClientHello
// begins TLS here.
net::Task<> DataChannel::wait_for_start_or_hello(Attempt& attempt, Comer& comer)
{
    while (attempt.is_protected && !attempt.is_started && !attempt.is_client_over() && comer.channel.is_open()) {
        std::byte first{};
        const auto step = comer.channel.stream().try_peek(first);
        if (step.kind == Kind::done && first == tls::kHandshakeRecord)
            co_return;
        if (step.kind != Kind::want_read)
            break;
        co_await comer.channel.wait(Kind::want_read);
    }
    if (!attempt.is_started && !attempt.is_client_over() && comer.channel.is_open())
        co_await comer.started.wait();
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

} // namespace safetp::proxy
