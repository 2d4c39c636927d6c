// A session's beginning on the client side: which server, the safe way to it, and clients that bring TLS of their own.
#include "base/log.h"
#include "net/sockets.h"
#include "proxy/session.h"

#include <span>
#include <utility>

namespace safetp::proxy {

namespace {

constexpr std::size_t kLineRelayBytes = 4096; // lines, not files

} // namespace

using Kind = tls::IoStep::Kind;
using LineKind = ftp::LineBuffer::Line::Kind;
using log::Level;

net::Task<> Session::reach_secure_server()
{
    const bool was_asked = !destination_;
    if (was_asked)
        co_await receive_client();
    if (is_ending_ || !destination_)
        co_return;
    reach_.emplace(environment_, *front_.client_side, number_, *destination_, [this] { arm_timer(); });
    const auto refusal = co_await reach_->run(server_, server_lines_);
    if (is_ending_)
        co_return;
    const auto server = refusal ? fail(ErrorCode::peer_closed) : peer_endpoint(server_->fd());
    const auto server_side = refusal ? fail(ErrorCode::peer_closed) : local_endpoint(server_->fd());
    if (!server || !server_side) {
        // In place of a greeting nothing but 421 is known to everybody; a login that can never work may be told so.
        const std::string_view code = was_asked && refusal && refusal->is_lasting ? "530 " : "421 ";
        const std::string words = refusal ? refusal->words : "The server has hung up.";
        dialogue_.on_server_unusable(refusal ? refusal->reason : ftp::EndReason::server_closed, std::string(code) + words);
        co_return drive();
    }
    dialogue_.set_server(server->address);
    data_.set_peers({.client = peer_, .client_side = local_.address, .server = *server, .server_side = server_side->address});
    if (reach_->tls_session() != nullptr) {
        data_.secure_server_with(*reach_->tls_session());
        const tls::HandshakeInfo& info = server_->stream().handshake_info();
        tls_summary_ = info.version + "/" + info.cipher;
    }
    std::string_view greeting = reach_->greeting();
    while (!greeting.empty() && !is_ending_) {
        const auto end = greeting.find("\r\n");
        dialogue_.on_server_line(greeting.substr(0, end));
        greeting.remove_prefix(end + 2);
    }
    drive();
}

std::optional<Endpoint> Session::data_place_for(const Endpoint& shown) const
{
    const bool is_server = destination_ && destination_->is_impersonated && destination_->address
        && destination_->address->family() == shown.address.family() && destination_->address->bytes() == shown.address.bytes();
    const auto place = is_server ? data_.passive_place() : std::nullopt;
    return place && place->port == shown.port ? place : std::nullopt;
}

// ---- which server

net::Task<> Session::receive_client()
{
    ftp::Reception reception(environment_.config.limits.bad_commands);
    to_client_.bytes += ftp::Reception::greeting();
    net::Turn turn;
    for (;;) {
        if (turn.is_over())
            co_await net::yield(environment_.executor); // a client that never pauses must not stop all others
        const bool is_said = co_await flush_client();
        if (!is_said || is_ending_)
            co_return;
        const auto line = client_lines_.next();
        if (line.kind == LineKind::none) {
            const auto step = client_.stream().try_read(client_lines_.free_space());
            if (step.kind == Kind::done) {
                client_lines_.commit(step.bytes);
                continue;
            }
            if (step.kind == Kind::eof || step.kind == Kind::failed) {
                dialogue_.on_client_end();
                co_return drive();
            }
            co_await client_.wait(step.kind);
            if (is_ending_)
                co_return;
            continue;
        }
        const auto answer = line.kind == LineKind::too_long ? reception.on_line_too_long() : reception.on_line(line.text);
        to_client_.bytes += answer.reply;
        if (answer.is_over) {
            dialogue_.on_server_unusable(ftp::EndReason::quit, {});
            co_return drive();
        }
        if (answer.wanted && name_destination(*answer.wanted, reception))
            co_return;
    }
}

bool Session::name_destination(const ftp::ProxyUser& wanted, ftp::Reception& reception)
{
    auto understood = front_.client_side->understand(wanted.server);
    if (!understood) {
        to_client_.bytes += reception.on_bad_name(understood.error()).reply;
        return false;
    }
    destination_ = std::move(*understood);
    log::Event(Level::info, number_, "destination", "the client wants " + destination_->to_string());
    dialogue_.set_proxy_name(wanted.server);
    dialogue_.on_client_line("USER " + wanted.user + '@' + wanted.server); // as every later USER; waits for the greeting
    return true;
}

// ---- clients that bring TLS of their own

void Session::ask_for_auth(const std::string& mechanism) { tasks_.spawn("AUTH", carry_auth(mechanism)); }

net::Task<> Session::carry_auth(std::string mechanism)
{
    const config::Timeouts& timeouts = environment_.config.timeouts;
    connect_deadline_ = Clock::now() + timeouts.server_connect + timeouts.server_greeting;
    arm_timer();
    std::optional<std::string> answer;
    if (!reach_->is_implicit())
        answer = co_await talk_about_auth(std::move(mechanism));
    connect_deadline_.reset();
    if (is_ending_)
        co_return;
    const bool is_accepted = answer && answer->starts_with("234");
    if (!is_accepted && alone_with_)
        alone_with_->close();
    dialogue_.on_auth_answered(is_accepted,
        answer.value_or("504 This server cannot do that now; SafeTP keeps the session safe without it."));
    drive();
}

// On a connection of its own, since the first one is under our TLS. Nothing but AUTH is said there in clear.
net::Task<std::optional<std::string>> Session::talk_about_auth(std::string mechanism)
{
    const auto target = peer_endpoint(server_->fd());
    if (!target)
        co_return std::nullopt;
    const auto connected = co_await net::connect(alone_with_, environment_.executor, *target, std::nullopt);
    if (!connected)
        co_return std::nullopt;
    net::enable_keepalive(alone_with_->fd(), static_cast<int>(environment_.config.timeouts.keepalive.count()));
    ftp::LineBuffer lines(environment_.config.limits.reply_line_bytes);
    const auto greeting = co_await read_reply(*alone_with_, lines);
    if (!greeting || !greeting->starts_with("220") || !lines.is_empty())
        co_return std::nullopt;
    const std::string question = "AUTH " + mechanism + "\r\n";
    const auto asked = alone_with_->stream().try_write(std::as_bytes(std::span(question)));
    if (asked.kind != Kind::done || asked.bytes != question.size())
        co_return std::nullopt; // a new connection takes one line
    auto answer = co_await read_reply(*alone_with_, lines);
    if (!lines.is_empty())
        co_return std::nullopt;
    co_return answer;
}

/// The last line of the next reply that is final.
net::Task<std::optional<std::string>> Session::read_reply(net::Channel& from, ftp::LineBuffer& lines)
{
    ftp::ReplyReader reader;
    std::size_t bytes = 0;
    while (bytes < environment_.config.limits.reply_line_bytes * 8u) {
        const auto line = lines.next();
        if (line.kind == LineKind::too_long)
            break;
        if (line.kind == LineKind::line) {
            bytes += line.text.size() + 1;
            const auto reply = reader.read(line.text);
            if (!reply)
                break;
            if (reply->is_last && !ftp::is_preliminary(reply->code))
                co_return reply->text;
            continue;
        }
        const auto step = from.stream().try_read(lines.free_space());
        if (step.kind == Kind::done) {
            lines.commit(step.bytes);
            continue;
        }
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            break;
        const bool is_ready = co_await from.wait(step.kind);
        if (!is_ready || is_ending_)
            break;
    }
    co_return std::nullopt;
}

net::Task<> Session::relay_blindly()
{
    farewell_deadline_ = Clock::now() + environment_.config.timeouts.handshake; // for the client to begin
    timer_.cancel();
    const bool is_said = co_await flush_client();
    if (!is_said || !client_lines_.is_empty() || !alone_with_)
        co_return client_.close();
    const bool is_tls = co_await client_begins_tls();
    farewell_deadline_.reset();
    server_->close();
    if (!is_tls || !alone_with_->is_open()) {
        alone_with_->reset();
        co_return client_.reset();
    }
    log::Event(Level::info, number_, "left-alone", "the client brings its own TLS: passed on unread");
    // No time limit but keepalive: whether a session idles or waits for a long transfer cannot be seen from here.
    BlindRelay relay(environment_.executor, client_, *alone_with_, kLineRelayBytes);
    left_alone_ = &relay;
    co_await relay.run();
    left_alone_ = nullptr;
}

net::Task<bool> Session::client_begins_tls()
{
    std::byte first{};
    auto step = client_.stream().try_peek(first);
    while (step.kind == Kind::want_read) {
        const bool is_ready = co_await client_.wait(step.kind);
        if (!is_ready)
            co_return false;
        step = client_.stream().try_peek(first);
    }
    const bool is_tls = step.kind == Kind::done && first == tls::kHandshakeRecord;
    if (step.kind == Kind::done && !is_tls)
        log::Event(Level::warning, number_, "clear-refused", "plain text after AUTH: nothing of it was passed on");
    co_return is_tls;
}

} // namespace safetp::proxy
