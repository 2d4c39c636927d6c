#include "proxy/server_reach.h"

#include "base/log.h"
#include "net/sockets.h"

#include <span>
#include <utility>

namespace safetp::proxy {

using Kind = tls::IoStep::Kind;
using State = ftp::ServerSecurity::State;
using log::Level;

namespace {

constexpr std::size_t kMaxAddressesTried = 8;

} // namespace

std::string Destination::to_string() const
{
    if (port == 21)
        return host;
    return (host.contains(':') ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

ServerReach::ServerReach(const Environment& environment, const ClientSide& client_side, std::uint64_t session,
    Destination destination, std::function<void()> deadline_nearer)
    : environment_(environment)
    , client_side_(client_side)
    , session_(session)
    , destination_(std::move(destination))
    , deadline_nearer_(std::move(deadline_nearer))
{
}

void ServerReach::allow(std::chrono::seconds time)
{
    deadline_ = net::Clock::now() + time;
    deadline_nearer_();
}

void ServerReach::on_expiry()
{
    has_expired_ = true;
    deadline_.reset();
    if (place_ != nullptr && *place_)
        (*place_)->close();
}

void ServerReach::abandon()
{
    if (!deadline_)
        return; // not under way
    is_abandoned_ = true;
    on_expiry();
}

net::Task<std::optional<ServerReach::Refusal>> ServerReach::run(std::optional<net::Channel>& place, ftp::LineBuffer& lines)
{
    place_ = &place;
    const auto rules = client_side_.rules_for(destination_);
    if (!rules)
        co_return Refusal{.reason = ftp::EndReason::server_refused, .words = rules.error()};
    rules_ = *rules;
    Failure failure = co_await connect();
    if (!failure)
        failure = co_await secure(lines);
    deadline_.reset();
    if (!failure && !place->is_open())
        failure = refuse_silence();
    if (failure && !is_abandoned_)
        log::Event(Level::warning, session_, "server-not-reached", failure->words)
            .with("server", destination_.to_string()).with("certificate", trust_.for_log);
    co_return failure;
}

net::Task<ServerReach::Failure> ServerReach::connect()
{
    allow(environment_.config.timeouts.server_connect);
    std::vector<IpAddress> addresses;
    if (destination_.address) {
        addresses.push_back(*destination_.address);
    } else {
        auto found = co_await client_side_.look_up(destination_.host, session_);
        if (!found)
            co_return refuse_name(found.error());
        addresses = std::move(*found);
    }
    Result<void> connected = fail(ErrorCode::connect_failed);
    for (std::size_t i = 0; i < addresses.size() && i < kMaxAddressesTried && !connected && !is_abandoned_; ++i) {
        has_expired_ = false;
        allow(environment_.config.timeouts.server_connect);
        const Endpoint target{addresses[i], destination_.port};
        connected = co_await net::connect(*place_, environment_.executor, target, std::nullopt);
        if (connected)
            log::Event(Level::debug, session_, "server-connected", "connected").with("server", target.to_string());
    }
    if (connected)
        co_return std::nullopt;
    if (has_expired_)
        co_return refuse_silence();
    co_return refuse_unreachable(connected.error());
}

net::Task<ServerReach::Failure> ServerReach::secure(ftp::LineBuffer& lines)
{
    net::Channel& server = **place_;
    net::enable_keepalive(server.fd(), static_cast<int>(environment_.config.timeouts.keepalive.count()));
    net::disable_nagle(server.fd());
    security_.emplace(rules_.implicit_tls, rules_.may_be_clear);
    allow(environment_.config.timeouts.server_greeting);
    for (;;) {
        Failure failure;
        switch (security_->state()) {
        case State::secure: co_return std::nullopt;
        case State::clear:
            log::Event(Level::warning, session_, "server-clear",
                "the server refuses TLS: spoken to in clear, as \"prefer\" allows")
                .with("server", destination_.to_string()).with("words", security_->words());
            co_return std::nullopt;
        case State::failed: co_return refuse_obstacle();
        case State::starting_tls:
            if (!lines.is_empty())
                security_->on_plaintext_after_auth();
            else
                failure = co_await start_tls();
            break;
        case State::waiting:
            failure = co_await read_line(lines);
            break;
        }
        if (failure)
            co_return failure;
    }
}

net::Task<ServerReach::Failure> ServerReach::send_lines()
{
    const std::string text = security_->take_output();
    auto rest = std::as_bytes(std::span(text));
    while (!rest.empty()) {
        const auto step = (*place_)->stream().try_write(rest);
        if (step.kind == Kind::done) {
            rest = rest.subspan(step.bytes);
            continue;
        }
        if (step.kind != Kind::want_read && step.kind != Kind::want_write)
            break; // what is read next says more
        const bool is_ready = co_await (*place_)->wait(step.kind);
        if (!is_ready)
            co_return refuse_silence();
    }
    co_return std::nullopt;
}

net::Task<ServerReach::Failure> ServerReach::read_line(ftp::LineBuffer& lines)
{
    using LineKind = ftp::LineBuffer::Line::Kind;
    for (;;) {
        const auto line = lines.next();
        if (line.kind == LineKind::too_long)
            security_->on_line_too_long();
        if (line.kind == LineKind::line)
            security_->on_line(line.text);
        if (line.kind != LineKind::none)
            co_return std::nullopt;
        const auto step = (*place_)->stream().try_read(lines.free_space());
        if (step.kind == Kind::done) {
            lines.commit(step.bytes);
            continue;
        }
        if (step.kind == Kind::failed && step.error.code == ErrorCode::tls_protocol)
            co_return refuse_handshake(step.error); // TLS 1.3: what it says of our certificate comes after the handshake
        if (step.kind == Kind::eof || step.kind == Kind::failed) {
            security_->on_end();
            co_return std::nullopt;
        }
        // All that has come was heard: none of it can be taken for an answer to what is asked now.
        if (lines.is_empty()) {
            if (const Failure failure = co_await send_lines())
                co_return failure;
        }
        const bool is_ready = co_await (*place_)->wait(step.kind);
        if (!is_ready)
            co_return refuse_silence();
    }
}

net::Task<ServerReach::Failure> ServerReach::start_tls()
{
    allow(environment_.config.timeouts.handshake);
    tls_.emplace(*rules_.tls, tls::PeerJudge{destination_.host, [this](const tls::PeerCertificate& certificate) {
        trust_ = client_side_.judge(destination_, certificate);
        if (trust_.is_first_use) // a person should see it once, also where all else is silence
            log::Event(Level::warning, session_, "first-use", trust_.for_person);
        return trust_.is_accepted;
    }});
    if (!rules_.needs_close_notify)
        tls_->unsafe_accept_missing_close_notify();
    tls::Stream& stream = (*place_)->stream();
    if (const auto begun = stream.start_tls(*tls_, tls::Purpose::control); !begun)
        co_return refuse_handshake(begun.error());
    const auto step = co_await (*place_)->shake_hands();
    if (step.kind == Kind::failed)
        co_return refuse_handshake(step.error);
    if (step.kind != Kind::done)
        co_return refuse_silence();
    const tls::HandshakeInfo& info = stream.handshake_info();
    log::Event(Level::info, session_, "server-tls", "TLS with the server begins: " + trust_.for_log)
        .with("server", destination_.to_string()).with("version", info.version).with("cipher", info.cipher)
        .with("key", info.server ? info.server->key_fingerprint : "");
    allow(environment_.config.timeouts.server_greeting);
    security_->on_tls_started();
    co_return std::nullopt;
}

} // namespace safetp::proxy
