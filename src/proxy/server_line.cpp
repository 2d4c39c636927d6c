#include "proxy/server_line.h"

#include "base/log.h"
#include "ftp/line_buffer.h"
#include "net/sockets.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

namespace safetp::proxy {

using Kind = tls::IoStep::Kind;
using Verdict = ftp::LineProbe::Verdict;
using log::Level;

namespace {

constexpr std::chrono::seconds kReplyTime{10};  // beyond what the greeting may take; silence counts as a line that was cut
constexpr std::chrono::seconds kPause{30};      // between two measurements: a greeting may differ each time
constexpr std::chrono::seconds kShortPause{3};  // where nobody answered
constexpr std::chrono::minutes kLongest{5};     // then whoever measured is thought dead

std::int64_t milliseconds(net::Clock::time_point time)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

} // namespace

/// One connection, one length. Whoever closes it ends it.
class ServerLine::Conversation {
public:
    Conversation(const Environment& environment, const IpAddress& address, std::size_t bytes)
        : environment_(environment)
        , address_(address)
        , probe_(bytes)
        , lines_(environment.config.limits.reply_line_bytes)
        , finished_(environment.executor)
    {
    }

    net::Task<> talk()
    {
        const auto opened = co_await open();
        if (!opened)
            log::Event(Level::debug, 0, "server-line", "no connection to measure with: " + describe(opened.error()));
        while (opened && channel_->is_open() && !probe_.verdict()) {
            if (take_line())
                continue;
            if (!co_await send(probe_.take_output()) || !co_await receive())
                break;
        }
        probe_.on_end();
        finished_.notify();
    }

    void close()
    {
        is_closed_ = true;
        if (channel_)
            channel_->close();
    }

    net::Event& finished() { return finished_; }
    const ftp::LineProbe& probe() const { return probe_; }

private:
    net::Task<Result<void>> open()
    {
        const config::Server& server = environment_.config.server;
        if (server.command.empty()) {
            Doorstep* const doorstep = environment_.doorstep;
            while (doorstep != nullptr && !doorstep->has_room() && !is_closed_)
                co_await doorstep->wait_for_room();
            if (is_closed_)
                co_return fail(ErrorCode::peer_closed);
            if (doorstep != nullptr)
                place_.emplace(*doorstep);
            const Endpoint target{address_, server.port};
            co_return co_await net::connect(channel_, environment_.executor, target, std::nullopt);
        }
        auto started = co_await environment_.start_server(0, IpAddress(), nullptr);
        if (!started)
            co_return std::unexpected(started.error());
        channel_.emplace(environment_.executor, std::move(*started));
        co_return Result<void>();
    }

    bool take_line()
    {
        const auto line = lines_.next();
        if (line.kind == ftp::LineBuffer::Line::Kind::line)
            probe_.on_line(line.text);
        else if (line.kind == ftp::LineBuffer::Line::Kind::too_long)
            probe_.on_end();
        return line.kind != ftp::LineBuffer::Line::Kind::none;
    }

    net::Task<bool> send(std::string text)
    {
        auto rest = std::as_bytes(std::span(text));
        while (!rest.empty() && channel_->is_open()) {
            const auto step = channel_->stream().try_write(rest);
            if (step.kind == Kind::done)
                rest = rest.subspan(step.bytes);
            else if (step.kind == Kind::want_write)
                co_await channel_->wait(step.kind);
            else
                co_return false;
        }
        co_return rest.empty();
    }

    net::Task<bool> receive()
    {
        while (channel_->is_open()) {
            const auto step = channel_->stream().try_read(lines_.free_space());
            if (step.kind == Kind::done) {
                place_.reset();
                lines_.commit(step.bytes);
                co_return true;
            }
            if (step.kind != Kind::want_read)
                co_return false;
            co_await channel_->wait(step.kind);
        }
        co_return false;
    }

    const Environment& environment_;
    const IpAddress address_;
    ftp::LineProbe probe_;
    ftp::LineBuffer lines_;
    net::Event finished_;
    std::optional<net::Channel> channel_;
    std::optional<Doorstep::Place> place_;
    bool is_closed_ = false;
};

ServerLine::ServerLine(const Environment& environment, ftp::LineLimits& limits, net::TaskGroup& tasks)
    : environment_(environment)
    , limits_(limits)
    , tasks_(tasks)
{
}

std::size_t ServerLine::limit(std::uint64_t greeting) const
{
    const std::size_t most = environment_.config.limits.line_bytes; // others write to the memory that says more, too
    return std::min<std::size_t>(limits_.find(greeting).value_or(ftp::Policy().server_line_bytes), most);
}

void ServerLine::measure(const IpAddress& address)
{
    const auto now = net::Clock::now();
    if (limits_.claim(milliseconds(now), milliseconds(now + kLongest)))
        tasks_.spawn("measuring lines", run(address));
}

net::Task<> ServerLine::run(IpAddress address)
{
    std::optional<Verdict> verdict;
    for (const std::size_t bytes : ftp::line_lengths_to_try(environment_.config.limits.line_bytes)) {
        std::uint64_t greeting = 0;
        verdict = co_await probe(address, bytes, greeting);
        if (verdict == Verdict::no_server)
            break;
        if (verdict == Verdict::cut)
            continue;
        limits_.learn(greeting, bytes);
        log::Event(std::exchange(last_, bytes) == bytes ? Level::debug : Level::info, 0, "server-line",
            "measured how long a line the raw ftpd reads as one").with("bytes", bytes);
        break;
    }
    const auto now = net::Clock::now();
    limits_.set_free_again(milliseconds(now + (verdict == Verdict::no_server ? kShortPause : kPause)));
    if (verdict == Verdict::cut)
        log::Event(Level::warning, 0, "server-line",
            "the raw ftpd does not answer even short lines with one reply each; [server] line_bytes can say what it takes")
            .with("bytes", ftp::Policy().server_line_bytes);
}

net::Task<std::optional<Verdict>> ServerLine::probe(IpAddress address, std::size_t bytes, std::uint64_t& greeting)
{
    const config::Timeouts& timeouts = environment_.config.timeouts;
    Conversation conversation(environment_, address, bytes);
    net::TaskGroup tasks(environment_.executor);
    tasks.spawn("measuring a line", conversation.talk());
    co_await conversation.finished().wait_until(
        net::Clock::now() + timeouts.server_connect + timeouts.server_greeting + kReplyTime);
    conversation.close();
    co_await tasks.all_done();
    if (environment_.on_probe_end)
        environment_.on_probe_end();
    const ftp::LineProbe& probe = conversation.probe();
    greeting = probe.greeting().fingerprint();
    log::Event(Level::debug, 0, "server-line", "tried a line on the raw ftpd").with("bytes", bytes)
        .with("read_as_one", probe.verdict() == Verdict::one_line ? "yes" : "no");
    co_return probe.verdict();
}

} // namespace safetp::proxy
