// A session's time limits (RFC 1123 section 4.1.3.2 for the idle one): one timer, set to the nearest of them.
#include "base/log.h"
#include "proxy/session.h"

#include <algorithm>
#include <utility>

namespace safetp::proxy {

net::Task<> Session::watch_time()
{
    while (!is_closed_) {
        timer_.expires_at(next_deadline());
        co_await net::wait(timer_);
        if (!is_closed_)
            check_deadlines();
    }
}

std::optional<Session::Clock::time_point> Session::waiting_deadline() const
{
    const config::Timeouts& timeouts = environment_.config.timeouts;
    switch (waiting_) {
    case Waiting::greeting: return waiting_since_ + timeouts.server_greeting;
    case Waiting::client: return waiting_since_ + timeouts.idle;
    case Waiting::server: return waiting_since_ + timeouts.server_reply;
    case Waiting::aftermath: return waiting_since_ + timeouts.data_close;
    case Waiting::data: // the data channel's own limits
    case Waiting::nothing: return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Session::Clock::time_point> Session::login_deadline() const
{
    if (dialogue_.is_logged_in())
        return std::nullopt;
    return login_since_ + environment_.config.timeouts.login;
}

Session::Clock::time_point Session::next_deadline() const
{
    if (is_ending_)
        return farewell_deadline_.value_or(Clock::time_point::max());
    auto next = Clock::time_point::max();
    for (const auto& deadline : {handshake_deadline_, connect_deadline_, reach_ ? reach_->deadline() : std::nullopt,
             login_deadline(), waiting_deadline(), data_.deadline()})
        next = std::min(next, deadline.value_or(Clock::time_point::max()));
    return next;
}

void Session::check_deadlines()
{
    const auto now = Clock::now();
    const auto is_due = [now](const std::optional<Clock::time_point>& deadline) { return deadline && *deadline <= now; };
    if (is_ending_) {
        if (is_due(farewell_deadline_)) {
            farewell_deadline_.reset(); // a limit that stays due would be due again at once, for ever
            client_.close();
        }
        return;
    }
    if (is_due(handshake_deadline_)) {
        log::Event(log::Level::notice, number_, "tls-timeout", "TLS handshake timed out").with("client", peer_.address);
        dialogue_.on_tls_failed();
    } else if (is_due(connect_deadline_)) {
        log::Event(log::Level::error, number_, "server-unreachable", "the raw ftpd cannot be reached: timed out");
        dialogue_.on_server_unreachable();
    } else if (reach_ && is_due(reach_->deadline())) {
        return reach_->on_expiry();
    } else if (is_due(login_deadline())) {
        dialogue_.on_login_timeout();
    } else if (is_due(data_.deadline())) {
        data_.on_expiry(now);
    } else if (is_due(waiting_deadline())) {
        if (waiting_ == Waiting::greeting || waiting_ == Waiting::server)
            log::Event(log::Level::error, number_, "server-timeout",
                front_.client_side != nullptr ? "the server does not answer" : "the raw ftpd does not answer");
        dialogue_.on_timeout(waiting_);
    } else {
        return;
    }
    drive();
}

void Session::note_waiting()
{
    const bool is_logged_in = dialogue_.is_logged_in();
    const bool was_logged_in = std::exchange(was_logged_in_, is_logged_in);
    if (was_logged_in && !is_logged_in)
        login_since_ = Clock::now(); // another USER was accepted: a new login begins
    if (is_logged_in && !was_logged_in && environment_.on_login)
        environment_.on_login(number_);
    if (const Waiting now = dialogue_.waiting(); now != waiting_) {
        waiting_ = now;
        waiting_since_ = Clock::now();
    }
    arm_timer();
}

void Session::arm_timer()
{
    if (next_deadline() < timer_.expiry())
        timer_.cancel();
}

} // namespace safetp::proxy
