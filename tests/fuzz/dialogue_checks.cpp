// What must hold of all that comes out of the dialogue.
#include "fuzz/dialogue_model.h"
#include "fuzz/fuzz.h"

#include <array>
#include <utility>

namespace safetp::fuzz {

using Waiting = ControlChannel::Waiting;

void DialogueModel::check_output(const Output& output)
{
    require(!ended_ || (output.to_client.empty() && output.to_server.empty() && output.actions.empty()),
        "nothing comes after End");
    trace("S<", output.to_server);
    trace("C<", output.to_client);
    for (const auto& action : output.actions)
        trace("action", std::to_string(action.index()));
    early_final_.reset();
    check_client_text(output.to_client);
    check_server_text(output.to_server);
    for (const auto& action : output.actions) {
        require(!ended_, "no action comes after End");
        std::visit([this](const auto& it) { check_action(it); }, action);
    }
    is_stat_now_ = false;
}

void DialogueModel::check_server_text(std::string_view text)
{
    if (text.empty())
        return;
    require(text.ends_with("\r\n"), "a line to the raw ftpd ends in CRLF");
    text.remove_suffix(2);
    require(text.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos, "one line, as every server reads it");
    require(greeted_, "nothing is forwarded before the greeting");
    const bool is_asked_for_end = text == "NOOP" && transfer_ && transfer_->final_code && finals_owed_ == 1;
    require(finals_owed_ == 0 || is_asked_for_end, "one command at a time is with the raw ftpd");
    require(text.size() + 2 <= policy_.server_line_bytes, "no line is longer than the raw ftpd reads as one");
    ++finals_owed_;
    if (is_asked_for_end)
        return;
    server_final_.reset();
    asked_ = text;
    const auto command = parse_command(text);
    require(command.has_value(), "what is forwarded is a command");
    check_forwarded(*command);
}

void DialogueModel::check_forwarded(const Command& command)
{
    const Verb verb = command.verb;
    for (const Verb own : { Verb::auth, Verb::pbsz, Verb::prot, Verb::ccc, Verb::adat, Verb::protected_command, Verb::abor,
             Verb::rein, Verb::third_party, Verb::http })
        require(verb != own, "what the gateway answers itself is not forwarded");
    require(verb != Verb::user || !is_client_side() || policy_.passes_greeting || !command.argument.ends_with("@elsewhere"),
        "a login for another server stays here");
    if (verb == Verb::user)
        user_is_anonymous_ = is_anonymous(command);
    const bool is_login = verb == Verb::user || verb == Verb::pass || verb == Verb::acct;
    const bool may_be_clear = policy_.security == Security::optional
        || (policy_.security == Security::required_except_anonymous && user_is_anonymous_ && !was_cleared_);
    require(!is_login || is_secure_ || may_be_clear, "no login in clear where TLS is required");
    require(is_secure_ || was_cleared_ || may_be_clear, "nothing reaches the raw ftpd before TLS where that is required");
    const std::array questions{ Verb::feat, Verb::help, Verb::noop, Verb::quit, Verb::stat, Verb::syst };
    was_told_in_clear_ = was_told_in_clear_ || (!is_secure_ && std::ranges::find(questions, verb) == questions.end());
    if (verb == Verb::port)
        require(policy_.server_data_mode == ServerDataMode::active || policy_.server_data_mode == ServerDataMode::automatic,
            "PORT only where it may be tried");
    if (is_transfer(verb)) {
        require(!transfer_, "one transfer at a time");
        const bool is_next = !commands_.empty() && commands_.front().verb == verb;
        require(is_next || early_final_, "a transfer begins in its turn");
        transfer_.emplace(TransferModel{});
        transfer_->direction = direction_of(verb);
        if (early_final_ == 426)
            transfer_->final_code = early_final_; // an ABOR behind it ended it at once
    }
}

void DialogueModel::check_client_text(std::string_view text)
{
    require(text.empty() || !tls_may_start_ || text.starts_with("234") || text.find("\r\n234 ") != std::string_view::npos,
        "nothing is said during the handshake");
    if (is_stat_now_ && text.starts_with("211-Transfer in progress"))
        std::rotate(commands_.begin(), commands_.end() - 1, commands_.end()); // answered out of turn
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        require(end != std::string_view::npos, "every line to the client ends in CRLF");
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 2);
        require(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos, "no CR, LF or NUL inside");
        const auto reply = client_reader_.read(line);
        require(reply.has_value(), "what the client reads is framed as replies");
        if (reply->is_last && !is_preliminary(reply->code))
            check_client_final(reply->code);
    }
}

void DialogueModel::check_client_final(int code)
{
    if (!client_was_greeted_) {
        client_was_greeted_ = true;
        return;
    }
    if (code == 421) { // checked with End
        if (transfer_ && !transfer_->final_code)
            transfer_->final_code = code;
        return;
    }
    require(!commands_.empty(), "no final reply without a command");
    if (is_transfer(commands_.front().verb))
        (transfer_ && !transfer_->final_code ? transfer_->final_code : early_final_) = code;
    if (commands_.front().verb == Verb::user)
        user_is_anonymous_
            = commands_.front().is_anonymous; // forwarded or refused: the password that follows is this one's
    commands_.pop_front();
}

void DialogueModel::check_state()
{
    require(ended_ == machine_.has_ended(), "End says what has_ended() says");
    require(!ended_ || (machine_.waiting() == Waiting::nothing && !machine_.wants_client_lines()), "the end is the end");
    if (!ended_ && machine_.waiting() == Waiting::client)
        require(commands_.empty() && finals_owed_ == 0, "every command has had its final reply");
    require(
        ended_ || machine_.is_transferring() == transfer_.has_value(), "a transfer lasts until it is said to have ended");
}

// ---- actions

void DialogueModel::check_action(const StartTls&)
{
    require(!is_client_side(), "the client's leg stays plain");
    require(!is_secure_ && !was_cleared_, "TLS starts once");
    require(!was_told_in_clear_, "nobody is logged in, and nothing was set, when TLS starts");
    tls_may_start_ = true;
}

void DialogueModel::check_action(const EndTls&)
{
    require(is_secure_ && policy_.allow_ccc, "CCC only where it is allowed");
    is_secure_ = false;
    was_cleared_ = true;
}

void DialogueModel::check_action(const AskForAuth& action)
{
    require(is_client_side() && !auth_is_asked_, "the server is asked for AUTH on a client side, once at a time");
    require(!machine_.is_logged_in(), "and while nobody is logged in");
    require(parse_command("AUTH " + action.mechanism).has_value(), "with a mechanism that is one word of a command");
    auth_is_asked_ = true;
}

void DialogueModel::check_action(const ExpectTransfer&)
{
    require(is_client_side() && transfer_ && !transfer_->has_started, "a transfer is expected before it starts");
    require(std::exchange(transfer_->is_expected, true) == false, "once");
}

void DialogueModel::check_action(const OpenPassive& action)
{
    require(!action.is_protected || is_secure_ || was_cleared_,
        "no TLS on data connections without TLS on the control connection");
    wants_passive_ = true;
}

void DialogueModel::check_action(const ListenForServer&) { wants_listener_ = true; }

void DialogueModel::check_action(const UseActive& action)
{
    require(action.client.address == kClient.address && action.client.port >= 1024, "only the client itself is dialled");
}

void DialogueModel::check_action(const DialServer& action) { require(action.port >= 1024, "no low port is dialled"); }

void DialogueModel::check_action(const StartTransfer& action)
{
    require(
        transfer_ && !transfer_->has_started && !transfer_->was_aborted, "a transfer starts once, and not after its abort");
    require(action.direction == transfer_->direction, "in its direction");
    require(!is_client_side() || (transfer_->is_expected && !action.is_protected), "the client's leg is plain");
    const bool was_secured = is_secure_ || was_cleared_;
    require(
        action.is_protected || !was_secured || !policy_.data_security_required, "no clear data where PROT P is required");
    transfer_->has_started = true;
}

void DialogueModel::check_action(const FinishDownload&)
{
    require(transfer_ && transfer_->has_started && transfer_->direction == Direction::download, "a download is finished");
    require(transfer_->data_over && !transfer_->has_failed && !transfer_->was_aborted, "only a whole one");
    require(server_final_.has_value(), "only when the raw ftpd has said what it is worth");
    finishing_ = true;
    transfer_->was_ended = true;
}

void DialogueModel::check_action(const AwaitEnd&)
{
    require(transfer_ && transfer_->direction == Direction::download && !transfer_->data_over, "data that are under way");
    require(server_final_ && !is_positive(*server_final_), "of a transfer that the raw ftpd has refused");
}

void DialogueModel::check_action(const EndData&)
{
    require(transfer_ && !transfer_->was_aborted, "only a transfer's data are ended");
    require(server_final_ && !is_positive(*server_final_), "of one that the raw ftpd has refused");
    require(transfer_->direction == Direction::upload || !transfer_->preliminary_seen, "and that has brought nothing");
    transfer_->was_ended = true;
}

void DialogueModel::check_action(const AbortData&)
{
    require(transfer_.has_value(), "only a transfer is aborted");
    transfer_->was_aborted = true;
    finishing_ = false;
}

void DialogueModel::check_action(const AbortClientData&)
{
    require(transfer_ && !transfer_->preliminary_seen, "the raw ftpd has not begun");
    transfer_->was_aborted = true;
}

void DialogueModel::check_action(const CloseData&) { wants_passive_ = wants_listener_ = false; }

void DialogueModel::check_action(const TransferEnded& action)
{
    require(transfer_.has_value(), "only a transfer ends");
    if (action.is_complete) {
        require(transfer_->final_code && is_positive(*transfer_->final_code), "a whole transfer is called so");
        require(transfer_->data_over && !transfer_->has_failed && !transfer_->was_aborted,
            "only whole data is a whole transfer");
        require(
            transfer_->direction == Direction::upload || transfer_->delivered, "a download is whole when it was delivered");
    } else {
        require(!transfer_->final_code || !is_positive(*transfer_->final_code), "no 226 for a transfer that failed");
        const bool is_told = transfer_->final_code && !is_positive(*transfer_->final_code);
        require(transfer_->was_aborted || (transfer_->was_ended && is_told), "what failed was reset, or its reply says it");
    }
    transfer_.reset();
    finishing_ = false;
}

void DialogueModel::check_action(const LoggedIn&)
{
    const bool is_login = asked_.starts_with("USER") || asked_.starts_with("PASS") || asked_.starts_with("ACCT");
    require(is_login && server_final_ && is_positive(*server_final_), "the raw ftpd logs in, and only when it was asked");
}

void DialogueModel::check_action(const LoginFailed&) { }

void DialogueModel::check_action(const Note& action) { require(action.text.size() < 1'000, "notes are short"); }

void DialogueModel::check_action(const End& action)
{
    ended_ = true;
    require((action.reason == EndReason::left_alone) == was_left_alone_, "left alone when AUTH was accepted, and only then");
}

} // namespace safetp::fuzz
