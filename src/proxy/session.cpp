#include "proxy/session.h"

#include "base/log.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace safetp::proxy {

using Kind = tls::IoStep::Kind;
using log::Level;

namespace {

constexpr std::uint16_t kGateway = 0; // in the names of ticket keys: a gateway by itself has no number
constexpr std::size_t kMaxUnsentReplies = 64 * 1024; // beyond it the raw ftpd is not read: a slow client holds no memory

void wipe(std::string& text)
{
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

bool is_use_active(const ftp::Action& action) { return std::holds_alternative<ftp::UseActive>(action); }

} // namespace

Session::Session(
    const Environment& environment, const Front& front, std::uint64_t number, UniqueFd client, const Endpoint& peer,
    std::optional<Destination> destination, std::string_view said)
    : environment_(environment)
    , front_(front)
    , number_(number)
    , peer_(peer)
    , local_(local_endpoint(client.get()).value_or(Endpoint{}))
    , ticket_key_(kGateway, environment.worker)
    , destination_(std::move(destination))
    , tasks_(environment.executor)
    , client_(environment.executor, std::move(client))
    , client_lines_(environment.config.limits.line_bytes)
    , server_lines_(environment.config.limits.reply_line_bytes)
    , to_client_(environment.executor)
    , to_server_(environment.executor)
    , policy_(front.policy)
    , dialogue_(policy_, peer_, server_address())
    , data_(environment, front, tasks_, number,
          {.data_over = [this] { dialogue_.on_transfer_data_over(); drive(); },
              .delivered = [this] { dialogue_.on_transfer_delivered(); drive(); },
              .failed = [this](ftp::DataFailure failure) { dialogue_.on_transfer_failed(failure); drive(); },
              .deadline_nearer = [this] { arm_timer(); }})
    , client_may_speak_(environment.executor)
    , ended_(environment.executor)
    , client_left_(environment.executor)
    , timer_(environment.executor, Clock::time_point::max())
{
    client_lines_.put(said);
}

Session::~Session() { wipe(to_server_.bytes); }

// ---- the session's life

net::Task<> Session::run()
{
    const bool is_judged = environment_.access != nullptr; // then that has the line that people look for
    log::Event(is_judged ? Level::debug : Level::info, number_, is_judged ? "accept" : "connect",
        "connect from " + peer_.to_string())
        .with("local", local_.to_string());
    net::enable_keepalive(client_.fd(), static_cast<int>(environment_.config.timeouts.keepalive.count()));
    net::disable_nagle(client_.fd());
    net::keep_urgent_data_inline(client_.fd());
    tasks_.spawn("time limits", watch_time());

    if (is_judged)
        co_await admit();
    if (!is_ending_ && front_.listener.implicit_tls)
        co_await start_tls();
    if (!is_ending_ && front_.client_side != nullptr)
        co_await reach_secure_server();
    else if (!is_ending_)
        co_await reach_server();
    if (!is_ending_) {
        tasks_.spawn("client writer", write(client_, to_client_));
        tasks_.spawn("server writer", write(*server_, to_server_));
        tasks_.spawn("client reader", read_client());
        co_await read_server();
    }
    if (end_reason_ == ftp::EndReason::left_alone)
        co_await relay_blindly();
    co_await say_farewell();

    is_closed_ = true;
    timer_.cancel();
    data_.close_all();
    co_await tasks_.all_done();
    log_end();
}

// What is still to be said goes out, then close_notify and FIN, all within one short time limit.
net::Task<> Session::say_farewell()
{
    farewell_deadline_ = Clock::now() + linger_.value_or(environment_.config.timeouts.data_close);
    timer_.cancel();
    if (server_ && server_->is_open() && server_->stream().is_tls())
        server_->stream().try_close_notify();
    if (server_)
        server_->close();
    const bool is_silent = end_reason_ == ftp::EndReason::tls_failed || end_reason_ == ftp::EndReason::connection_broken
        || is_refused_silently_ || (front_.listener.implicit_tls && !client_.stream().is_tls());
    if (is_silent || !co_await flush_client()) {
        client_.close();
        co_return;
    }
    while (client_.is_open() && client_.stream().is_tls()) {
        const auto step = client_.stream().try_close_notify();
        if (step.kind != Kind::want_read && step.kind != Kind::want_write)
            break;
        co_await client_.wait(step.kind);
    }
    if (!client_.is_open())
        co_return;
    client_.stream().shutdown_write();
    // Unread bytes at close would make the kernel send RST, which can take the farewell from the client's hands.
    std::array<std::byte, 512> unread;
    while (client_.is_open()) {
        const auto step = client_.stream().try_read(unread);
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            break;
        if (step.kind == Kind::done)
            co_await net::yield(environment_.executor);
        else
            co_await client_.wait(step.kind);
    }
    client_.close();
}

void Session::end(ftp::EndReason reason)
{
    is_ending_ = true;
    end_reason_ = reason;
    if (access_step_ != nullptr) {
        access_step_->stop();
        client_left_.notify();
    }
    data_.close();
    doorstep_.reset();
    if (reach_)
        reach_->abandon();
    if (server_)
        server_->cancel_waits();
    if (alone_with_)
        alone_with_->cancel_waits();
    client_.cancel_waits();
    client_may_speak_.notify();
    ended_.notify();
    to_client_.filled.notify();
    to_server_.filled.notify();
    timer_.cancel();
}

void Session::drain()
{
    if (left_alone_ != nullptr)
        return left_alone_->finish(); // what the two are about cannot be seen
    if (is_ending_) {
        if (farewell_deadline_)
            farewell_deadline_ = Clock::now(); // no more waiting for the client's own end
        return timer_.cancel(), void();
    }
    if (access_step_ != nullptr) // the dialogue has not begun
        return end_before_dialogue();
    if (front_.client_side != nullptr && !destination_)
        dialogue_.on_server_unusable(ftp::EndReason::drained, "421 This proxy is shutting down, please try again later.");
    dialogue_.on_drain();
    drive();
}

void Session::cut_off()
{
    if (left_alone_ != nullptr)
        return left_alone_->cut();
    dialogue_.on_drain_over();
    drive();
}

// ---- the dialogue's decisions

void Session::drive()
{
    if (is_driving_)
        return;
    is_driving_ = true;
    for (;;) {
        ftp::Output output = dialogue_.take_output();
        const bool has_nothing_to_say = output.to_client.empty() && output.to_server.empty() && output.actions.empty();
        if (has_nothing_to_say && (take_client_line() || let_next_command_go()))
            continue;
        if (has_nothing_to_say)
            break;
        log_output(output);
        if (std::ranges::any_of(output.actions, is_use_active))
            refresh_ticket(); // before the reply, behind which the client may go on
        put_banner_before(output.to_client);
        to_client_.bytes += output.to_client;
        to_server_.bytes += output.to_server;
        paths_.on_sent(output.to_server);
        wipe(output.to_server);
        if (!is_handshaking_)
            try_flush(client_, to_client_);
        if (server_)
            try_flush(*server_, to_server_);
        for (ftp::Action& action : output.actions)
            perform(action);
    }
    is_driving_ = false;
    note_waiting();
    client_may_speak_.notify();
}

void Session::perform(ftp::Action& action)
{
    struct Visitor {
        Session& session;
        void operator()(const ftp::StartTls&) const { change_security(session.tls_is_to_start_); }
        void operator()(const ftp::EndTls&) const { change_security(session.tls_is_to_end_); }
        void change_security(bool& is_to_change) const
        {
            is_to_change = true;
            session.client_.cancel_waits(); // read_client does it, also when nothing comes from the client
        }
        void operator()(const ftp::AskForAuth& asked) const { session.ask_for_auth(asked.mechanism); }
        void operator()(const ftp::OpenPassive& open) const { session.perform_open_passive(open.is_protected); }
        void operator()(const ftp::UseActive& active) const { session.data_.use_active(active.client); }
        void operator()(const ftp::DialServer& dial) const { session.data_.dial_server(dial.port); }
        void operator()(const ftp::ListenForServer&) const { session.perform_listen_for_server(); }
        void operator()(const ftp::ExpectTransfer&) const { session.data_.expect_transfer(); }
        void operator()(const ftp::StartTransfer& start) const { session.data_.start(start.direction, start.is_protected); }
        void operator()(const ftp::FinishDownload&) const { session.data_.finish_download(); }
        void operator()(const ftp::AwaitEnd&) const { session.data_.await_end(); }
        void operator()(const ftp::EndData&) const { session.data_.end_client(); }
        void operator()(const ftp::AbortData&) const { session.data_.abort(); }
        void operator()(const ftp::AbortClientData&) const { session.data_.abort_client(); }
        void operator()(const ftp::CloseData&) const { session.data_.close(); }
        void operator()(const ftp::LoggedIn& login) const
        {
            log::Event(Level::notice, session.number_, "login", "logged in").with("user", login.user)
                .with("client", session.peer_.address).with("tls", session.tls_summary_);
        }
        void operator()(const ftp::LoginFailed& login) const
        {
            log::login_failure(session.number_, login.user, session.peer_.address);
        }
        void operator()(const ftp::TransferEnded& transfer) const { session.log_transfer(transfer); }
        void operator()(const ftp::Note& note) const
        {
            log::Event(Level::warning, session.number_, note.event, note.text).with("client", session.peer_.address);
        }
        void operator()(const ftp::End& ending) const { session.end(ending.reason); }
    };
    std::visit(Visitor{*this}, action);
}

void Session::perform_open_passive(bool is_protected)
{
    refresh_ticket();
    const auto listener = data_.open_passive(is_protected);
    if (!listener) {
        log::Event(Level::error, number_, "no-data-port", "no passive port: " + describe(listener.error()));
        return dialogue_.on_data_setup_failed("No free port for a data connection, please try again later.");
    }
    dialogue_.on_passive_opened({announced_address(), listener->port});
}

void Session::perform_listen_for_server()
{
    const auto listener = data_.listen_for_server();
    if (!listener)
        return dialogue_.on_data_setup_failed("No port for the FTP server behind this gateway.");
    dialogue_.on_server_listener(*listener);
}

// What a 227 reply shows: behind NAT another address than ours. 229 has no address, so it needs none of this.
IpAddress Session::announced_address() const
{
    // Whoever leads the client to us leads data connections too. (On a machine that lacks IPv6 they come by IPv4.)
    const bool is_impersonated = destination_ && destination_->is_impersonated && destination_->address;
    if (is_impersonated && destination_->address->family() == local_.address.family())
        return *destination_->address;
    const config::Announce& announce = environment_.config.data.announce;
    std::string_view wanted = announce.address;
    for (const auto& [network, address] : announce.for_clients) {
        if (network.contains(peer_.address)) {
            wanted = address;
            break;
        }
    }
    if (wanted.empty())
        return local_.address;
    if (const auto address = IpAddress::parse(wanted))
        return *address;
    for (const auto& [name, addresses] : environment_.announced_names) {
        const auto ipv4 = std::ranges::find_if(addresses, &IpAddress::is_ipv4);
        if (name == wanted && ipv4 != addresses.end())
            return *ipv4;
    }
    return local_.address;
}

// TLS 1.3 clients use a ticket once, and forget it after its lifetime: a fresh one goes out before the data connection that
// will want it (RFC 8446 section C.4).
void Session::refresh_ticket()
{
    const auto now = Clock::now();
    const bool is_old = now - ticket_issued_ > environment_.config.tls.ticket_lifetime / 2;
    if (!is_old && !data_.take_resumed())
        return;
    client_.stream().issue_ticket();
    ticket_issued_ = now;
}

// ---- control connections

// Bytes are read as they come, lines taken out only when the dialogue wants them: so the client's end is seen at any time.
net::Task<> Session::read_client()
{
    net::Turn turn;
    while (!is_ending_) {
        if (std::exchange(tls_is_to_start_, false)) {
            co_await start_tls();
            continue;
        }
        if (std::exchange(tls_is_to_end_, false)) {
            co_await end_tls();
            continue;
        }
        if (!client_lines_.has_room()) {
            co_await client_may_speak_.wait();
            continue;
        }
        const auto step = client_.stream().try_read(client_lines_.free_space());
        if (step.kind == Kind::done) {
            client_lines_.commit(step.bytes);
            drive();
            if (turn.is_over())
                co_await net::yield(environment_.executor);
            continue;
        }
        if (step.kind == Kind::eof || step.kind == Kind::failed) {
            if (step.kind == Kind::failed) {
                // Perl's and Python's clients never send close_notify: at "info" that would be a line a session.
                const bool is_usual = step.error.code == ErrorCode::tls_truncated;
                log::Event(is_usual ? Level::debug : Level::info, number_, "client-broken",
                    "control connection: " + describe(step.error));
            }
            dialogue_.on_client_end();
            drive();
            continue;
        }
        client_lines_.release_if_empty();
        co_await client_.wait(step.kind);
    }
}

// One line from the client's buffer to the dialogue; false when there is none or none is wanted now.
bool Session::take_client_line()
{
    using LineKind = ftp::LineBuffer::Line::Kind;
    const bool is_between_tls_and_clear = tls_is_to_start_ || tls_is_to_end_ || is_handshaking_;
    if (is_ending_ || is_between_tls_and_clear || !dialogue_.wants_client_lines())
        return false;
    if (to_client_.unsent() > kMaxUnsentReplies)
        return false; // our own replies are bounded too: write() goes on here when the client has read them
    const auto line = client_lines_.next();
    if (line.kind == LineKind::none)
        return false;
    if (waiting_ == Waiting::client)
        waiting_since_ = Clock::now(); // what the client says is no sign of life of the raw ftpd
    if (line.kind == LineKind::too_long) {
        dialogue_.on_client_line_too_long();
    } else {
        log_client_line(line.text);
        dialogue_.report_progress(data_.bytes());
        dialogue_.on_client_line(line.text);
    }
    return true;
}

// A reply that is there before the next command goes out is not that command's: the server is heard first. Its end is left to
// read_server.
bool Session::let_next_command_go()
{
    if (is_ending_ || !server_ || !server_->is_open() || !dialogue_.can_proceed())
        return false;
    for (;;) {
        if (take_server_line())
            return true;
        if (to_client_.unsent() > kMaxUnsentReplies)
            return false;
        const Kind kind = read_from_server();
        if (kind == Kind::want_read || kind == Kind::want_write)
            break;
        if (kind != Kind::done)
            return false;
    }
    if (!server_lines_.is_empty())
        return false; // it is in the middle of a line
    limit_server_line();
    dialogue_.proceed();
    return true;
}

net::Task<> Session::read_server()
{
    net::Turn turn;
    while (!is_ending_) {
        if (take_server_line()) {
            drive();
            continue;
        }
        if (to_client_.unsent() > kMaxUnsentReplies && !is_handshaking_) {
            co_await flush_client();
            continue;
        }
        const Kind kind = read_from_server();
        if (kind == Kind::done) {
            if (turn.is_over())
                co_await net::yield(environment_.executor);
            continue;
        }
        if (kind == Kind::eof || kind == Kind::failed) {
            dialogue_.on_server_end();
            drive();
            break;
        }
        server_lines_.release_if_empty();
        if (dialogue_.expects_server()) // vsftpd's 226 would wait for the acknowledgement of its 150
            net::acknowledge_at_once(server_->fd());
        co_await server_->wait(kind);
    }
    while (!is_ending_) // a transfer that the raw ftpd has confirmed may still be on its way to the client
        co_await ended_.wait();
}

void Session::try_flush(net::Channel& channel, Outbox& outbox)
{
    while (!outbox.is_empty()) {
        const auto step = channel.stream().try_write(std::as_bytes(std::span(outbox.bytes)).subspan(outbox.sent));
        if (step.kind == Kind::want_read || step.kind == Kind::want_write) {
            outbox.blocked_on = step.kind;
            return outbox.filled.notify();
        }
        if (step.kind != Kind::done) {
            outbox.sent = outbox.bytes.size(); // nobody is there to read it; the reader will see the end
            break;
        }
        outbox.sent += step.bytes;
    }
    outbox.sent = 0;
    wipe(outbox.bytes);
}

net::Task<> Session::write(net::Channel& channel, Outbox& outbox)
{
    while (!is_ending_) {
        co_await outbox.filled.wait();
        while (!is_ending_ && !outbox.is_empty()) {
            co_await channel.wait(outbox.blocked_on);
            if (!is_ending_)
                try_flush(channel, outbox);
        }
        if (!is_ending_)
            drive(); // lines may have waited for it
    }
}

// False: the client's connection was closed or broke, or the session began to end, before all was written.
net::Task<bool> Session::flush_client()
{
    while (client_.is_open()) {
        try_flush(client_, to_client_);
        if (to_client_.is_empty())
            co_return true;
        const bool was_ending = is_ending_;
        co_await client_.wait(to_client_.blocked_on);
        if (is_ending_ && !was_ending)
            break; // the farewell goes on with it, under its own time limit
    }
    co_return false;
}

// ---- TLS on the control connection

net::Task<> Session::start_tls()
{
    if (!co_await flush_client() || is_ending_)
        co_return;
    if (!client_lines_.is_empty()) {
        log::Event(Level::warning, number_, "starttls-injection", "plain text behind AUTH, session ended")
            .with("client", peer_.address);
        dialogue_.on_plaintext_after_auth();
        co_return drive();
    }
    is_handshaking_ = true;
    handshake_deadline_ = Clock::now() + environment_.config.timeouts.handshake;
    arm_timer();
    const bool is_done = co_await handshake();
    handshake_deadline_.reset();
    is_handshaking_ = false;
    if (is_ending_)
        co_return;
    if (!is_done) {
        dialogue_.on_tls_failed();
        co_return drive();
    }
    const tls::HandshakeInfo& info = client_.stream().handshake_info();
    tls_summary_ = info.version + "/" + info.cipher;
    log::Event(Level::info, number_, "tls", "TLS begins").with("version", info.version).with("cipher", info.cipher)
        .with("resumed", info.is_resumed ? "yes" : "no").with("sni", info.server_name)
        .with("client_certificate", info.client_certificate);
    data_.bind_to(ticket_key_, info.client_fingerprint);
    ticket_issued_ = Clock::now();
    dialogue_.on_tls_started(info.server_name);
    drive();
}

net::Task<bool> Session::handshake()
{
    const auto begun = client_.stream().start_tls(*front_.tls, tls::Purpose::control, &ticket_key_);
    if (!begun) {
        log::Event(Level::error, number_, "tls-failed", describe(begun.error()));
        co_return false;
    }
    const auto step = co_await client_.shake_hands();
    if (step.kind == Kind::failed)
        log::Event(Level::notice, number_, "tls-failed", describe(step.error)).with("client", peer_.address);
    co_return step.kind == Kind::done;
}

// CCC: our close_notify, the client's, then plain text. Anything else in between ends the session.
net::Task<> Session::end_tls()
{
    if (!co_await flush_client() || is_ending_)
        co_return;
    handshake_deadline_ = Clock::now() + environment_.config.timeouts.handshake;
    arm_timer();
    tls::Stream& stream = client_.stream();
    std::array<std::byte, 1> unexpected;
    auto step = stream.try_close_notify();
    while (step.kind == Kind::want_read || step.kind == Kind::want_write) {
        co_await client_.wait(step.kind);
        if (is_ending_)
            co_return;
        step = stream.try_close_notify();
    }
    if (step.kind == Kind::done) {
        step = stream.try_read(unexpected);
        while (step.kind == Kind::want_read || step.kind == Kind::want_write) {
            co_await client_.wait(step.kind);
            if (is_ending_)
                co_return;
            step = stream.try_read(unexpected);
        }
    }
    handshake_deadline_.reset();
    if (step.kind != Kind::eof || !client_lines_.is_empty()) {
        log::Event(Level::notice, number_, "ccc-failed", "no close_notify came after CCC, session ended");
        dialogue_.on_tls_failed();
        co_return drive();
    }
    stream.end_tls();
    tls_summary_ += ", cleared";
}

} // namespace safetp::proxy
