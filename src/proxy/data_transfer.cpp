// A transfer: moving the bytes from one leg to the other, and telling an end from a cut.
#include "proxy/data_attempt.h"

#include <array>
#include <span>

namespace safetp::proxy {

using ftp::DataFailure;
using Kind = tls::IoStep::Kind;

constexpr std::uint64_t kFairShare = 1u << 20; ///< bytes of one transfer before the other sessions get their turn

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

net::Task<> tell_when_readable(net::Channel& channel, net::Event& event)
{
    co_await channel.wait(Kind::want_read);
    event.notify();
}

} // namespace

net::Task<DataChannel::Outcome> DataChannel::pump(
    Attempt& attempt, net::Channel& from, net::Channel& to, Outcome read_failure, Outcome write_failure)
{
    net::reset_on_close(to.fd(), true); // a crash is no end of the file either: Channel::end_in_order
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
    attempt.is_data_over = true;
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
    attempt.client->end_in_order();
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

// The final reply must not overtake the data: it is held until the client's kernel has acknowledged every byte. Nothing tells
// of that, so it is looked at now and then, and at once when the client answers our end with its own.
net::Task<DataChannel::Outcome> DataChannel::wait_until_delivered(Attempt& attempt)
{
    constexpr std::chrono::milliseconds kFirstPause{1};
    constexpr std::chrono::milliseconds kLongestPause{50};
    net::Event answered(attempt.executor);
    net::TaskGroup watching(attempt.executor);
    watching.spawn("client's answer", tell_when_readable(*attempt.client, answered));
    Outcome outcome;
    std::size_t before = 0;
    for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
        // In this order: a client that acknowledges all and closes between two questions would else look like one that reset.
        const bool is_over = net::is_connection_over(attempt.client->fd());
        const std::size_t left = net::unacknowledged_bytes(attempt.client->fd());
        if (left == 0 || is_over) { // reset: what is left will never be acknowledged
            if (left != 0 || net::pending_error(attempt.client->fd()) != 0)
                outcome = DataFailure::client_broken;
            break;
        }
        if (left != before)
            attempt.expect_within(environment_.config.timeouts.data_stall, DataFailure::stalled);
        before = left;
        co_await answered.wait_until(net::Clock::now() + pause);
        if (attempt.is_abandoned)
            break;
    }
    attempt.client->cancel_waits();
    co_await watching.all_done();
    co_return outcome;
}

// The client may still say close_notify; bytes that come to a closed socket are answered with RST, which many clients report
// as a failed transfer.
net::Task<> DataChannel::linger(net::Executor executor, net::Channel& client)
{
    std::array<std::byte, 512> unread;
    while (client.is_open()) {
        const auto step = client.stream().try_read(unread);
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            break;
        if (step.kind == Kind::done)
            co_await net::yield(executor);
        else
            co_await client.wait(step.kind);
    }
    client.close();
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
    attempt.server->end_in_order();
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
