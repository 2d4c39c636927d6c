#include "proxy/blind_relay.h"

#include <memory>

namespace safetp::proxy {

using Kind = tls::IoStep::Kind;

BlindRelay::BlindRelay(const net::Executor& executor, net::Channel& client, net::Channel& server, std::size_t buffer_bytes)
    : executor_(executor)
    , client_(client)
    , server_(server)
    , buffer_bytes_(buffer_bytes)
{
}

net::Task<> BlindRelay::run()
{
    net::TaskGroup directions(executor_);
    directions.spawn("blind relay", pass(server_, client_));
    directions.spawn("blind relay", pass(client_, server_));
    co_await directions.all_done();
    close();
}

void BlindRelay::finish()
{
    is_finishing_ = true;
    if (has_ended_)
        close();
}

void BlindRelay::cut()
{
    client_.reset();
    server_.reset();
}

void BlindRelay::close()
{
    client_.close();
    server_.close();
}

net::Task<> BlindRelay::pass(net::Channel& from, net::Channel& to)
{
    const auto memory = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes_);
    const std::span buffer(memory.get(), buffer_bytes_);
    net::Turn turn;
    while (from.is_open() && to.is_open()) {
        const auto read = from.stream().try_read(buffer);
        if (read.kind == Kind::want_read || read.kind == Kind::want_write) {
            co_await from.wait(read.kind);
            continue;
        }
        if (read.kind == Kind::eof) {
            to.stream().shutdown_write();
            has_ended_ = true;
            if (is_finishing_)
                close();
            co_return;
        }
        bool is_passed = read.kind == Kind::done;
        if (is_passed)
            is_passed = co_await write(to, buffer.first(read.bytes));
        if (!is_passed)
            co_return cut();
        if (turn.is_over())
            co_await net::yield(executor_);
    }
    // Somebody has closed one end while we waited: the other one would never hear of it.
    close();
}

net::Task<bool> BlindRelay::write(net::Channel& to, std::span<const std::byte> bytes)
{
    while (!bytes.empty() && to.is_open()) {
        const auto written = to.stream().try_write(bytes);
        if (written.kind == Kind::done)
            bytes = bytes.subspan(written.bytes);
        else if (written.kind == Kind::want_read || written.kind == Kind::want_write)
            co_await to.wait(written.kind);
        else
            break;
    }
    co_return bytes.empty();
}

} // namespace safetp::proxy
