#include "ftp/server_security.h"

#include <utility>

namespace safetp::ftp {

namespace {

constexpr std::size_t kMaxReplyBytes = 64u * 1024; // a greeting that is longer is no greeting

} // namespace

ServerSecurity::ServerSecurity(bool implicit_tls, bool may_be_clear)
    : implicit_tls_(implicit_tls)
    , may_be_clear_(may_be_clear && !implicit_tls)
    , state_(implicit_tls ? State::starting_tls : State::waiting)
{
}

std::string ServerSecurity::take_output() { return std::exchange(output_, {}); }

void ServerSecurity::fail(Obstacle obstacle)
{
    state_ = State::failed;
    obstacle_ = obstacle;
    output_.clear();
}

void ServerSecurity::ask(Asked what, std::string_view line)
{
    asked_ = what;
    reply_bytes_ = 0;
    words_.clear();
    output_ += line;
    output_ += "\r\n";
}

void ServerSecurity::on_end()
{
    if (state_ == State::waiting)
        fail(is_awaiting_auth() ? Obstacle::closed_at_auth : Obstacle::closed);
}

void ServerSecurity::on_tls_started()
{
    if (state_ != State::starting_tls)
        return;
    state_ = State::waiting;
    if (asked_ != Asked::greeting) // explicit: the greeting came before
        ask(Asked::pbsz, "PBSZ 0");
}

void ServerSecurity::on_line(std::string_view line)
{
    if (state_ != State::waiting)
        return;
    const auto reply = reader_.read(line);
    reply_bytes_ += line.size() + 2;
    if (!reply || reply_bytes_ > kMaxReplyBytes)
        return fail(Obstacle::no_ftp);
    if (reply->is_first)
        words_ = reply->text;
    const bool is_unasked = !output_.empty();
    if (is_unasked || (is_preliminary(reply->code) && asked_ != Asked::greeting))
        return fail(reply->code == 421 ? Obstacle::refused : Obstacle::out_of_step);
    if (is_preliminary(reply->code))
        return; // "120 ready in a minute"; the real reply follows
    if (asked_ == Asked::greeting)
        greeting_ += reply->text + "\r\n";
    if (reply->is_last)
        on_final(reply->code);
}

void ServerSecurity::on_final(int code)
{
    if (code == 421)
        return fail(Obstacle::refused);
    switch (asked_) {
    case Asked::greeting:
        if (code != 220)
            return fail(Obstacle::refused);
        return implicit_tls_ ? ask(Asked::pbsz, "PBSZ 0") : ask(Asked::auth, "AUTH TLS");
    case Asked::auth:
    case Asked::old_auth: return on_auth_final(code);
    case Asked::pbsz: return on_pbsz_final(code);
    case Asked::prot: return on_prot_final(code);
    }
}

void ServerSecurity::on_auth_final(int code)
{
    if (code == 234 || code == 334) { // 334 is what servers from before RFC 4217 say
        state_ = State::starting_tls;
        return;
    }
    // They know it by the old name only.
    if (asked_ == Asked::auth && code >= 500)
        return ask(Asked::old_auth, "AUTH SSL");
    if (code >= 500 && may_be_clear_) {
        state_ = State::clear;
        return;
    }
    fail(Obstacle::auth_refused);
}

// RFC 2228 section 5.3 knows 200 and refusals. Under TLS a buffer size means nothing (RFC 4217 section 8), and some servers do
// not know the command: what is said to PROT decides.
void ServerSecurity::on_pbsz_final(int code)
{
    if (code != 200 && !is_negative(code))
        return fail(Obstacle::out_of_step);
    ask(Asked::prot, "PROT P");
}

// The same: 200, or a refusal. Another positive code answers another command.
void ServerSecurity::on_prot_final(int code)
{
    if (code != 200)
        return fail(is_negative(code) ? Obstacle::prot_refused : Obstacle::out_of_step);
    state_ = State::secure;
}

} // namespace safetp::ftp
