#include "proxy/data_channel.h"

#include "base/log.h"
#include "proxy/data_attempt.h"

#include <cstring>
#include <span>

namespace safetp::proxy {

using ftp::DataFailure;
using Kind = tls::IoStep::Kind;

constexpr std::uint64_t kFairShare = 1u << 20; ///< bytes of one transfer before the other sessions get their turn

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

void DataChannel::set_binding(const tls::SessionBinding& binding, std::string client_fingerprint)
{
    binding_ = binding;
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
    const auto endpoint = local_endpoint(fd->get());
    prepared().server_listener.emplace(environment_.executor, std::move(*fd));
    return endpoint;
}

Result<Endpoint> DataChannel::open_passive()
{
    const net::PortRange range{environment_.config.data.first_port, environment_.config.data.last_port};
    auto fd = net::listen_in_range(peers_.client_side, range);
    if (!fd) {
        prepared_.reset();
        return std::unexpected(fd.error());
    }
    const auto endpoint = local_endpoint(fd->get());
    prepared().client_listener.emplace(environment_.executor, std::move(*fd));
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
    limit_connecting(*current_);
    current_->started.notify();
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

void DataChannel::abort() { abandon(true); }

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
    for (auto* channel : {&attempt.client, &attempt.server}) {
        if (*channel && with_reset)
            (*channel)->reset();
        if (*channel)
            (*channel)->close();
    }
    for (auto* listener : {&attempt.client_listener, &attempt.server_listener}) {
        if (*listener)
            (*listener)->close();
    }
    attempt.expected.notify();
    attempt.started.notify();
    attempt.finish.notify();
    attempt.pause.cancel();
}

void DataChannel::close_all()
{
    close();
    for (Attempt* attempt : lingering_)
        attempt->client->close();
}

std::optional<net::Clock::time_point> DataChannel::deadline() const
{
    std::optional<net::Clock::time_point> next;
    if (current_ && current_->has_limit())
        next = current_->deadline;
    for (const Attempt* attempt : lingering_)
        next = std::min(next.value_or(*attempt->deadline), *attempt->deadline);
    return next;
}

void DataChannel::on_expiry(net::Clock::time_point now)
{
    for (Attempt* attempt : lingering_) {
        if (*attempt->deadline <= now)
            attempt->client->close();
    }
    if (!current_ || !current_->has_limit() || !current_->deadline || *current_->deadline > now)
        return;
    if (current_->is_on_trial)
        current_->client->close(); // one stranger less; the door is still open
    else
        handlers_.failed(current_->expiry);
}

// ---- one attempt

net::Task<> DataChannel::run(std::unique_ptr<Attempt> attempt)
{
    const Outcome failure = co_await carry_out(*attempt);
    net::Event& begun = server_tls_ == nullptr ? attempt->started : attempt->expected;
    if (!attempt->has_limit() && !attempt->is_abandoned) // a failure is told when there is a transfer that it can fail
        co_await begun.wait();
    if (attempt->is_abandoned)
        co_return;
    if (failure) {
        handlers_.failed(*failure);
        co_return;
    }
    current_ = nullptr;
    lingering_.push_back(attempt.get());
    if (lingering_.size() > kMaxLingering)
        lingering_[lingering_.size() - 1 - kMaxLingering]->client->close(); // those before it are closed already
    attempt->expect_within(environment_.config.timeouts.data_close, DataFailure::stalled);
    handlers_.delivered();
    co_await linger(*attempt);
    std::erase(lingering_, attempt.get());
}

net::Task<DataChannel::Outcome> DataChannel::carry_out(Attempt& attempt)
{
    if (attempt.server_target) {
        attempt.is_dialling_server = true;
        const auto connected = co_await net::connect(attempt.server, attempt.executor, *attempt.server_target, std::nullopt);
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
    if (unreached || attempt.is_abandoned)
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

// Where any address may come, only the TLS session tells the client from a stranger: one that cannot show it is sent away and
// the door stays open. Elsewhere the first connection from the client's address decides.
net::Task<DataChannel::Outcome> DataChannel::reach_client(Attempt& attempt)
{
    for (;;) {
        if (attempt.client_listener) {
            const Outcome failure = co_await accept_client(attempt);
            if (failure || attempt.is_abandoned)
                co_return failure;
        }
        if (!attempt.is_started)
            co_await attempt.started.wait();
        if (attempt.is_abandoned)
            co_return std::nullopt;
        if (attempt.client_target) {
            attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::client_unreachable);
            const auto connected
                = co_await net::connect(attempt.client, attempt.executor, *attempt.client_target, peers_.client_side);
            if (!connected)
                co_return DataFailure::client_unreachable;
        }
        Outcome failure;
        attempt.is_on_trial = environment_.config.data.peer == config::DataPeer::any && attempt.client_listener;
        if (attempt.is_protected)
            failure = co_await secure_client(attempt);
        const bool may_be_stranger = std::exchange(attempt.is_on_trial, false);
        if (attempt.is_abandoned)
            co_return std::nullopt;
        if (failure && may_be_stranger) {
            attempt.client.reset();
            attempt.expect_within(environment_.config.timeouts.data_connection, DataFailure::client_not_connected);
            continue;
        }
        attempt.client_listener.reset();
        co_return failure;
    }
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
            if (attempt.is_abandoned)
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
        if (attempt.is_abandoned)
            co_return std::nullopt;
    }
}

net::Task<DataChannel::Outcome> DataChannel::secure_client(Attempt& attempt)
{
    attempt.expect_within(environment_.config.timeouts.handshake, DataFailure::handshake_failed);
    tls::Stream& stream = attempt.client->stream();
    // Under "off" no ticket fits: each data connection makes a full handshake.
    const bool may_resume = front_.listener.session_reuse != config::SessionReuse::off;
    if (!stream.start_tls(*front_.tls, tls::Purpose::data, may_resume ? binding_ : tls::make_session_binding()))
        co_return DataFailure::handshake_failed;
    for (;;) {
        const auto step = stream.try_handshake();
        if (step.kind == Kind::done)
            break;
        if (step.kind != Kind::want_read && step.kind != Kind::want_write) {
            log::Event(log::Level::notice, session_, "data-tls-failed", "data connection: " + describe(step.error));
            co_return DataFailure::handshake_failed;
        }
        const bool is_ready = co_await attempt.client->wait(step.kind);
        if (attempt.is_abandoned)
            co_return std::nullopt;
        if (!is_ready)
            co_return DataFailure::handshake_failed;
    }
    has_resumed_ = has_resumed_ || stream.handshake_info().is_bound;
    co_return judge_handshake(stream.handshake_info());
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

// ---- moving the bytes

namespace {

/// TLS gives one record at a time: what has come already is gathered, so that it goes on with one system call.
tls::IoStep read_chunk(tls::Stream& from, std::span<std::byte> buffer)
{
    tls::IoStep chunk = from.try_read(buffer);
    while (from.is_tls() && chunk.kind == Kind::done && chunk.bytes < buffer.size()) {
        const auto more = from.try_read(buffer.subspan(chunk.bytes));
        if (more.kind != Kind::done)
            break; // the next call says it again
        chunk.bytes += more.bytes;
    }
    return chunk;
}

} // namespace

net::Task<DataChannel::Outcome> DataChannel::pump(
    Attempt& attempt, net::Channel& from, net::Channel& to, Outcome read_failure, Outcome write_failure)
{
    if (!from.stream().is_tls() && !to.stream().is_tls()) {
        if (auto pipe = net::SplicePipe::make())
            co_return co_await splice(attempt, *pipe, from, to, read_failure, write_failure);
    }
    BufferPool::Lease buffer = environment_.buffers.take();
    const auto stall = environment_.config.timeouts.data_stall;
    std::uint64_t share = 0;
    for (;;) {
        attempt.expect_within(stall, DataFailure::stalled);
        const auto read = read_chunk(from.stream(), *buffer);
        if (read.kind == Kind::eof)
            co_return co_await flush(attempt, to, write_failure);
        if (read.kind == Kind::failed)
            co_return read_failure;
        if (read.kind != Kind::done) {
            co_await from.wait(read.kind);
            if (attempt.is_abandoned)
                co_return std::nullopt;
            continue;
        }
        auto rest = std::span<const std::byte>(*buffer).first(read.bytes);
        while (!rest.empty()) {
            const auto written = to.stream().try_write(rest);
            if (written.kind == Kind::failed || written.kind == Kind::eof)
                co_return write_failure;
            if (written.bytes != 0)
                attempt.expect_within(stall, DataFailure::stalled);
            if (written.kind == Kind::done) {
                rest = rest.subspan(written.bytes);
                bytes_ += written.bytes;
                continue;
            }
            co_await to.wait(written.kind);
            if (attempt.is_abandoned)
                co_return std::nullopt;
        }
        share += read.bytes;
        if (share >= kFairShare) {
            share = 0;
            co_await net::yield(attempt.executor);
            if (attempt.is_abandoned)
                co_return std::nullopt;
        }
    }
}

// The same between two plain connections, without the bytes ever coming to us.
net::Task<DataChannel::Outcome> DataChannel::splice(Attempt& attempt, net::SplicePipe& pipe, net::Channel& from,
    net::Channel& to, Outcome read_failure, Outcome write_failure)
{
    const auto stall = environment_.config.timeouts.data_stall;
    std::uint64_t share = 0;
    for (;;) {
        attempt.expect_within(stall, DataFailure::stalled);
        const bool is_reading = pipe.is_empty();
        const auto step = is_reading ? pipe.try_fill(from.fd()) : pipe.try_drain(to.fd());
        if (step.kind == Kind::eof)
            co_return is_reading ? Outcome() : write_failure;
        if (step.kind == Kind::failed)
            co_return is_reading ? read_failure : write_failure;
        if (step.kind == Kind::done && !is_reading) {
            bytes_ += step.bytes;
            share += step.bytes;
        }
        net::Channel& moved = is_reading ? from : to;
        if (step.kind != Kind::done)
            co_await moved.wait(step.kind);
        else if (share >= kFairShare)
            co_await net::yield(attempt.executor);
        if (attempt.is_abandoned)
            co_return std::nullopt;
        if (share >= kFairShare)
            share = 0;
    }
}

net::Task<DataChannel::Outcome> DataChannel::flush(Attempt& attempt, net::Channel& to, Outcome write_failure)
{
    for (;;) {
        const auto step = to.stream().try_flush();
        if (step.kind == Kind::done)
            co_return std::nullopt;
        if (step.kind == Kind::failed)
            co_return write_failure;
        if (step.bytes != 0)
            attempt.expect_within(environment_.config.timeouts.data_stall, DataFailure::stalled);
        co_await to.wait(step.kind);
        if (attempt.is_abandoned)
            co_return std::nullopt;
    }
}

net::Task<DataChannel::Outcome> DataChannel::download(Attempt& attempt)
{
    const Outcome failure
        = co_await pump(attempt, *attempt.server, *attempt.client, DataFailure::server_broken, DataFailure::client_broken);
    if (failure || attempt.is_abandoned)
        co_return failure;
    co_await send_close_notify(attempt, *attempt.server);
    if (attempt.is_abandoned)
        co_return std::nullopt;
    attempt.server->close();
    attempt.deadline.reset(); // the raw ftpd's word is waited for on the control connection, under its own time limit
    handlers_.data_over();
    if (!attempt.is_abandoned)
        co_await attempt.finish.wait();
    if (attempt.is_abandoned)
        co_return std::nullopt;
    attempt.expect_within(environment_.config.timeouts.data_stall, DataFailure::stalled);
    const bool has_arrived = net::unacknowledged_bytes(attempt.client->fd()) == 0;
    co_await send_close_notify(attempt, *attempt.client);
    if (attempt.is_abandoned)
        co_return std::nullopt;
    attempt.client->stream().shutdown_write();
    Outcome undelivered;
    if (!has_arrived)
        undelivered = co_await wait_until_delivered(attempt);
    co_return undelivered;
}

// On a plain leg this does nothing.
net::Task<> DataChannel::send_close_notify(Attempt& attempt, net::Channel& channel)
{
    for (;;) {
        const auto step = channel.stream().try_close_notify();
        if (step.kind != Kind::want_read && step.kind != Kind::want_write)
            co_return;
        co_await channel.wait(step.kind);
        if (attempt.is_abandoned)
            co_return;
    }
}

// The final reply must not overtake the data: it is held until the client's kernel has acknowledged every byte.
net::Task<DataChannel::Outcome> DataChannel::wait_until_delivered(Attempt& attempt)
{
    constexpr std::chrono::milliseconds kFirstPause{1};
    constexpr std::chrono::milliseconds kLongestPause{50};
    std::size_t before = 0;
    for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
        // In this order: a client that acknowledges all and closes between two questions would else look like one that reset.
        const bool is_over = net::is_connection_over(attempt.client->fd());
        const std::size_t left = net::unacknowledged_bytes(attempt.client->fd());
        if (left == 0)
            break;
        if (is_over)
            co_return DataFailure::client_broken; // reset: what is left will never be acknowledged
        if (left != before)
            attempt.expect_within(environment_.config.timeouts.data_stall, DataFailure::stalled);
        before = left;
        attempt.pause.expires_after(pause);
        co_await attempt.pause.async_wait(net::kAsTuple);
        if (attempt.is_abandoned)
            co_return std::nullopt;
    }
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(attempt.client->fd(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0)
        co_return DataFailure::client_broken;
    co_return std::nullopt;
}

// The client may still say close_notify; bytes that come to a closed socket are answered with RST, which many clients report
// as a failed transfer.
net::Task<> DataChannel::linger(Attempt& attempt)
{
    std::array<std::byte, 512> unread;
    while (attempt.client->is_open()) {
        const auto step = attempt.client->stream().try_read(unread);
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            break;
        if (step.kind == Kind::done)
            co_await net::yield(attempt.executor);
        else
            co_await attempt.client->wait(step.kind);
    }
}

net::Task<DataChannel::Outcome> DataChannel::upload(Attempt& attempt)
{
    const Outcome failure
        = co_await pump(attempt, *attempt.client, *attempt.server, DataFailure::client_broken, DataFailure::server_broken);
    if (failure || attempt.is_abandoned)
        co_return failure;
    co_await send_close_notify(attempt, *attempt.client);
    if (attempt.is_abandoned)
        co_return std::nullopt;
    attempt.client->close();
    co_await send_close_notify(attempt, *attempt.server);
    if (attempt.is_abandoned)
        co_return std::nullopt;
    attempt.server->stream().shutdown_write();
    attempt.deadline.reset();
    handlers_.data_over();
    if (!attempt.is_abandoned && server_tls_ != nullptr)
        co_await read_farewell(attempt);
    // Until the raw ftpd has confirmed, its connection stays: should it refuse after all, it is reset.
    if (!attempt.is_abandoned)
        co_await attempt.finish.wait();
    co_return std::nullopt;
}

} // namespace safetp::proxy
