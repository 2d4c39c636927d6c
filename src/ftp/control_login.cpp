// USER, PASS, ACCT: who is logged in follows from what the raw ftpd says, not from what the client tries.
#include "ftp/control_channel.h"

#include "ftp/reception.h"
#include "ftp/text.h"

#include <utility>

namespace safetp::ftp {

namespace {

constexpr int kSuperfluous = 202;
constexpr int kBadSequence = 503;

} // namespace

bool ControlChannel::user_is_anonymous() const { return is_anonymous(user_); }

void ControlChannel::execute_user(Command command)
{
    if (!proxy_name_.empty()) {
        const auto named = parse_proxy_user(command.argument);
        if (named && !equals_ignoring_case(named->server, proxy_name_))
            return reply("530 This session is with " + proxy_name_ + ": please open another one for another server.");
        if (named)
            command.argument = named->user;
    }
    forward(command, Question::user);
    if (pending_ == Question::user)
        asked_user_ = command.argument;
}

// A USER that is refused changes nothing: whoever was logged in still is. While somebody is, the refusal is no failed login.
void ControlChannel::on_user_final(int code)
{
    if (is_negative(code)) {
        if (!is_logged_in())
            note_login_failure();
        if (login_ == Login::user_given)
            asked_user_ = given_user_; // PASS still goes with him
        return;
    }
    given_user_ = asked_user_;
    is_clear_anonymous_ = is_anonymous(asked_user_);
    if (is_positive(code))
        return log_in();
    if (!is_logged_in())
        user_ = asked_user_; // else the old one's: with some ftpds he stays logged in until PASS
    login_ = Login::user_given;
}

void ControlChannel::on_login_final(int code)
{
    if (is_logged_in())
        return; // PASS once more, or behind a USER that was answered 230: ftpds say 503, 230 or 530, and the login stands
    if (is_positive(code) && (code != kSuperfluous || login_ == Login::user_given))
        return log_in();
    if (!is_negative(code))
        return;
    const bool was_without_user = code == kBadSequence && login_ == Login::none;
    if (was_without_user)
        return count_bad_command();
    login_ = Login::none;
    user_ = asked_user_;
    note_login_failure();
}

void ControlChannel::log_in()
{
    login_ = Login::done;
    user_ = asked_user_;
    act(LoggedIn{user_});
}

void ControlChannel::note_login_failure()
{
    act(LoginFailed{asked_user_});
    if (++login_failures_ >= policy_.login_failures)
        end(EndReason::too_many_login_failures, "421 Too many login failures, closing.");
}

} // namespace safetp::ftp
