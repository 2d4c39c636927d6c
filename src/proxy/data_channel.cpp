#include "proxy/data_channel.h"

#include "proxy/data_attempt.h"

#include <algorithm>
#include <utility>

namespace safetp::proxy {

using ftp::DataFailure;

/// Delivered connections of one session that may wait for the client's own end, so that one client cannot use up descriptors.
constexpr std::size_t kMaxLingering = 4;

DataChannel::DataChannel(
    const Environment& environment, const Front& front, net::TaskGroup& tasks, std::uint64_t session, Handlers handlers)
    : environment_(environment)
    , front_(front)
    , tasks_(tasks)
    , session_(session)
    , handlers_(std::move(handlers))
{
}

DataChannel::~DataChannel() = default;

void DataChannel::bind_to(const tls::TicketKey& key, std::string client_fingerprint)
{
    ticket_key_ = &key;
    client_fingerprint_ = std::move(client_fingerprint);
}

// ---- preparation

DataChannel::Attempt& DataChannel::prepared()
{
    if (!prepared_)
        prepared_ = std::make_unique<Attempt>(environment_.executor, handlers_);
    return *prepared_;
}

void DataChannel::dial_server(std::uint16_t port) { prepared().server_target = Endpoint{peers_.server.address, port}; }

Result<Endpoint> DataChannel::listen_for_server()
{
    auto fd = net::listen_in_range(peers_.server_side, {});
    if (!fd)
        return std::unexpected(fd.error());
    net::set_reach(fd->get(), net::reach_between(peers_.server_side, peers_.server.address));
    const auto endpoint = local_endpoint(fd->get());
    prepared().server_listener.emplace(environment_.executor, std::move(*fd));
    return endpoint;
}

Result<Endpoint> DataChannel::open_passive(bool is_protected)
{
    const net::PortRange range{environment_.config.data.first_port, environment_.config.data.last_port};
    auto fd = net::listen_in_range(peers_.client_side, range);
    if (!fd) {
        prepared_.reset();
        return std::unexpected(fd.error());
    }
    net::set_reach(fd->get(), net::reach_between(peers_.client_side, peers_.client.address));
    const auto endpoint = local_endpoint(fd->get());
    prepared().client_listener.emplace(environment_.executor, std::move(*fd));
    prepared().is_protected = is_protected;
    launch();
    return endpoint;
}

std::optional<Endpoint> DataChannel::passive_place() const
{
    const bool is_awaited = current_ && current_->client_listener && current_->client_listener->is_open();
    const auto place = is_awaited ? local_endpoint(current_->client_listener->fd()) : fail(ErrorCode::peer_closed);
    return place ? std::optional(*place) : std::nullopt;
}

void DataChannel::use_active(const Endpoint& client)
{
    prepared().client_target = client;
    launch();
}

void DataChannel::launch()
{
    abandon(false);
    bytes_ = 0; // a transfer that is refused never starts, and must not be logged with the size of the one before
    started_at_ = net::Clock::now();
    current_ = prepared_.get();
    tasks_.spawn("data connection", run(std::move(prepared_)));
}

void DataChannel::start(ftp::Direction direction, bool is_protected)
{
    bytes_ = 0;
    started_at_ = net::Clock::now();
    if (!current_)
        return handlers_.failed(DataFailure::server_unreachable); // never happens; but a transfer without an end would be worse
    current_->direction = direction;
    current_->is_protected = is_protected;
    current_->is_started = true;
    if (direction == ftp::Direction::upload && current_->server)
        net::reset_on_close(current_->server->fd(), true); // from here on the raw ftpd is making a file
    limit_connecting(*current_);
    for (const auto& comer : current_->comers) {
        if (!comer->is_judged)
            comer->deadline = started_at_ + environment_.config.timeouts.handshake;
        if (!comer->is_tls_begun) // a handshake under way would fail
            comer->wake();
    }
    handlers_.deadline_nearer();
    current_->started.notify();
    current_->stirred.notify();
}

void DataChannel::limit_connecting(Attempt& attempt)
{
    const auto missing = attempt.is_dialling_server ? DataFailure::server_unreachable : DataFailure::client_not_connected;
    attempt.expect_within(environment_.config.timeouts.data_connection, missing);
}

void DataChannel::finish_download()
{
    if (current_)
        current_->finish.notify();
}

void DataChannel::await_end()
{
    if (!current_)
        return;
    current_->longest_wait = environment_.config.timeouts.data_close;
    if (current_->deadline)
        current_->expect_within(current_->longest_wait, current_->expiry);
}

// A client's connection that is reset before it has read the refusal is a lost session to many a client library.
void DataChannel::end_client()
{
    if (!current_)
        return;
    Attempt& attempt = *current_;
    take_who_waits(attempt);
    const bool is_cut = attempt.direction == ftp::Direction::download && bytes_ != 0 && !attempt.is_data_over;
    const bool has_client = (attempt.client && attempt.client->is_open()) || !attempt.comers.empty();
    if (is_cut || !has_client)
        return abandon(true);
    current_ = nullptr;
    attempt.is_abandoned = attempt.is_refused = true;
    if (attempt.server && attempt.direction == ftp::Direction::upload)
        attempt.server->reset();
    for (auto* channel : {&attempt.server, &attempt.client_listener, &attempt.server_listener}) {
        if (*channel)
            (*channel)->close();
    }
    let_linger(attempt, environment_.config.timeouts.data_close);
    if (attempt.client)
        attempt.client->cancel_waits();
    wake(attempt);
}

void DataChannel::abort() { abandon(true); }

void DataChannel::abort_client()
{
    if (!current_)
        return;
    current_->is_client_aborted = true;
    current_->deadline.reset();
    if (current_->client)
        current_->client->reset();
    if (current_->client_listener)
        current_->client_listener->close();
    for (const auto& comer : current_->comers)
        comer->channel.reset();
    current_->started.notify();
    wake_comers(*current_);
}

void DataChannel::close()
{
    prepared_.reset();
    abandon(false);
}

void DataChannel::abandon(bool with_reset)
{
    if (!current_)
        return;
    Attempt& attempt = *std::exchange(current_, nullptr);
    attempt.is_abandoned = true;
    // A reset in the middle of its handshake is the end of the session at vsftpd and Pure-FTPd.
    attempt.is_doomed = with_reset && attempt.is_securing_server;
    for (auto* channel : {&attempt.client, attempt.is_doomed ? nullptr : &attempt.server}) {
        if (channel && *channel && with_reset)
            (*channel)->reset();
        if (channel && *channel)
            (*channel)->close();
    }
    for (auto* listener : {&attempt.client_listener, &attempt.server_listener}) {
        if (*listener)
            (*listener)->close();
    }
    for (const auto& comer : attempt.comers)
        with_reset ? comer->channel.reset() : comer->channel.close();
    if (attempt.is_doomed)
        let_linger(attempt, environment_.config.timeouts.handshake);
    wake(attempt);
}

void DataChannel::wake(Attempt& attempt)
{
    attempt.expected.notify();
    attempt.started.notify();
    attempt.finish.notify();
    wake_comers(attempt);
}

void DataChannel::wake_comers(Attempt& attempt)
{
    for (const auto& comer : attempt.comers)
        comer->wake();
    attempt.stirred.notify();
}

// Until the other end has ended its connection too, but not for long.
void DataChannel::let_linger(Attempt& attempt, std::chrono::seconds time)
{
    lingering_.push_back(&attempt);
    if (lingering_.size() > kMaxLingering)
        end_lingering(*lingering_[lingering_.size() - 1 - kMaxLingering]); // those before it are closed already
    attempt.longest_wait = std::chrono::seconds::max();
    attempt.expect_within(time, DataFailure::stalled);
    handlers_.deadline_nearer();
}

void DataChannel::end_lingering(Attempt& attempt)
{
    if (attempt.is_doomed)
        attempt.server->reset();
    if (attempt.client)
        attempt.client->close();
    for (const auto& comer : attempt.comers)
        comer->leave();
}

void DataChannel::close_all()
{
    close();
    for (Attempt* attempt : lingering_)
        end_lingering(*attempt);
}

std::optional<net::Clock::time_point> DataChannel::deadline() const
{
    std::optional<net::Clock::time_point> next;
    if (current_ && current_->has_limit())
        next = current_->deadline;
    for (std::size_t i = 0; current_ && current_->has_limit() && i < current_->comers.size(); ++i) {
        const auto& due = current_->comers[i]->deadline;
        next = due ? std::min(next.value_or(*due), *due) : next;
    }
    for (const Attempt* attempt : lingering_)
        next = std::min(next.value_or(*attempt->deadline), *attempt->deadline);
    return next;
}

void DataChannel::on_expiry(net::Clock::time_point now)
{
    for (Attempt* attempt : lingering_) {
        if (*attempt->deadline > now)
            continue;
        if (std::exchange(attempt->is_looking_for_hello, false)) {
            attempt->expect_within(environment_.config.timeouts.data_close, DataFailure::stalled);
            if (attempt->client)
                attempt->client->cancel_waits();
            wake_comers(*attempt);
        } else {
            end_lingering(*attempt);
        }
    }
    if (!current_ || !current_->has_limit())
        return;
    for (const auto& comer : current_->comers) {
        if (comer->deadline && *comer->deadline <= now) {
            comer->deadline.reset();
            comer->leave(); // his trial fails; the door is still open
        }
    }
    if (!current_->deadline || *current_->deadline > now)
        return;
    current_->deadline.reset();
    const bool nobody_came = current_->expiry == DataFailure::client_not_connected && current_->trial_failure;
    if (current_->expiry == DataFailure::server_not_secured && current_->server)
        current_->server->reset(); // its handshake fails, and run() tells it
    else
        handlers_.failed(nobody_came ? *current_->trial_failure : current_->expiry);
}

// ---- one attempt

net::Task<> DataChannel::run(std::unique_ptr<Attempt> attempt)
{
    const Outcome failure = co_await carry_out(*attempt);
    net::Event& begun = server_tls_ == nullptr ? attempt->started : attempt->expected;
    if (!attempt->has_limit() && !attempt->is_abandoned) // a failure is told when there is a transfer that it can fail
        co_await begun.wait();
    if (!attempt->is_abandoned && failure && !attempt->is_client_aborted)
        handlers_.failed(*failure);
    if (!attempt->is_abandoned && (failure || attempt->is_client_aborted))
        co_await attempt->finish.wait(); // what becomes of the connections is decided when the server has said its word
    if (attempt->is_refused && attempt->client)
        co_await part_in_order(*attempt, *attempt->client, attempt->is_tls_begun);
    if (!attempt->is_abandoned) {
        current_ = nullptr;
        let_linger(*attempt, environment_.config.timeouts.data_close);
        handlers_.delivered();
        co_await linger(attempt->executor, *attempt->client);
    }
    std::erase(lingering_, attempt.get());
}

net::Task<DataChannel::Outcome> DataChannel::carry_out(Attempt& attempt)
{
    if (attempt.server_target) {
        attempt.is_dialling_server = true;
        const auto reach = net::reach_between(peers_.server_side, peers_.server.address);
        const auto connected
            = co_await net::connect(attempt.server, attempt.executor, *attempt.server_target, std::nullopt, reach);
        attempt.is_dialling_server = false;
        attempt.expiry = DataFailure::client_not_connected;
        if (!connected)
            co_return DataFailure::server_unreachable;
    }
    if (server_tls_ != nullptr) {
        const Outcome unsafe = co_await secure_server(attempt);
        if (unsafe || attempt.is_abandoned)
            co_return unsafe;
    }
    const Outcome unreached = co_await reach_client(attempt);
    if (unreached || attempt.is_client_over())
        co_return unreached;
    if (attempt.server_listener) {
        const Outcome absent = co_await accept_server(attempt);
        if (absent || attempt.is_abandoned)
            co_return absent;
    }
    if (attempt.direction == ftp::Direction::download)
        co_return co_await download(attempt);
    co_return co_await upload(attempt);
}

} // namespace safetp::proxy
