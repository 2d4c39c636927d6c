#include "proxy/passage.h"

#include <array>
#include <span>

namespace safetp::proxy {

using Kind = tls::IoStep::Kind;

namespace {

constexpr std::size_t kWordBytes = 1024;       // at a time, while both ends are listened to
constexpr std::size_t kRelayBytes = 64 * 1024; // files pass through here

} // namespace

Passage::Passage(const net::Executor& executor, net::Channel& client, net::Channel& server)
    : executor_(executor)
    , client_(client)
    , server_(server)
    , relay_(executor, client, server, kRelayBytes)
{
}

net::Task<Passage::Outcome> Passage::run()
{
    net::TaskGroup listeners(executor_);
    listeners.spawn("first words", listen_to_server());
    listeners.spawn("first words", listen_to_client());
    co_await listeners.all_done();
    if (verdict_ == Verdict::ftp)
        co_return Outcome::ftp;
    const bool is_caught_up = co_await hand_on_said(said_.size());
    if (!is_caught_up)
        relay_.cut();
    co_await relay_.run();
    co_return Outcome::ended;
}

void Passage::finish()
{
    relay_.finish();
    decide(Verdict::other); // there is nobody left who would say more
}

void Passage::decide(Verdict verdict)
{
    if (verdict_ != Verdict::open)
        return;
    verdict_ = verdict;
    client_.cancel_waits(); // the other listener's
    server_.cancel_waits();
}

net::Task<> Passage::listen_to_server()
{
    std::array<std::byte, kWordBytes> buffer;
    while (is_open()) {
        const auto read = server_.stream().try_read(buffer);
        if (read.kind == Kind::want_read) {
            co_await server_.wait(read.kind);
            continue;
        }
        if (read.kind != Kind::done) {
            if (read.kind == Kind::failed)
                relay_.cut();
            co_return decide(Verdict::other); // the relay meets the end again
        }
        const std::span<const std::byte> bytes = std::span(buffer).first(read.bytes);
        const Verdict verdict = words_.on_server({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        const bool is_passed = co_await relay_.write(client_, bytes);
        if (!is_passed)
            relay_.cut();
        if (verdict != Verdict::open || !is_passed)
            co_return decide(Verdict::other);
    }
}

net::Task<> Passage::listen_to_client()
{
    std::array<std::byte, kWordBytes> buffer;
    while (is_open()) {
        const auto read = client_.stream().try_read(buffer);
        if (read.kind == Kind::want_read) {
            co_await client_.wait(read.kind);
            continue;
        }
        if (read.kind != Kind::done) {
            if (read.kind == Kind::failed)
                relay_.cut();
            co_return decide(Verdict::other);
        }
        said_.append(reinterpret_cast<const char*>(buffer.data()), read.bytes);
        const auto decision = words_.on_client(said_);
        if (decision.verdict != Verdict::open)
            co_return decide(decision.verdict);
        const bool is_passed = co_await hand_on_said(decision.harmless);
        if (!is_passed) {
            relay_.cut();
            co_return decide(Verdict::other);
        }
    }
}

/// The first of them. False: the server takes no more.
net::Task<bool> Passage::hand_on_said(std::size_t bytes)
{
    if (bytes == 0)
        co_return true;
    const std::string part = said_.substr(0, bytes);
    said_.erase(0, bytes);
    const bool is_passed = co_await relay_.write(server_, std::as_bytes(std::span(part)));
    co_return is_passed;
}

} // namespace safetp::proxy
