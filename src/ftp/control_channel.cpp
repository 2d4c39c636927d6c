#include "ftp/control_channel.h"

#include "ftp/text.h"

#include <algorithm>
#include <utility>

namespace safetp::ftp {

namespace {

constexpr unsigned kMaxPreliminaries = 100; // per command; more is a raw ftpd gone mad
constexpr std::string_view kEndlessReply = "421 % sent an endless reply, closing.";
constexpr int kNoopsReply = 200;
constexpr std::string_view kAborDone = "226 Abort successful.";
// During a transfer the client is heard far beyond the commands that may wait at other times: an ABOR may come behind them.
constexpr std::size_t kMoreDuringTransfers = 4;

// Into collected_; other replies go to the client line by line.
bool is_read_whole(Question question)
{
    switch (question) {
    case Question::greeting:
    case Question::feat:
    case Question::epsv:
    case Question::pasv:
    case Question::port: return true;
    default: return false;
    }
}

bool outlives_auth(Verb verb)
{
    switch (verb) {
    case Verb::feat:
    case Verb::help:
    case Verb::noop:
    case Verb::quit:
    case Verb::stat:
    case Verb::syst: return false; // questions
    default: return true;
    }
}

} // namespace

std::string_view to_string(EndReason reason)
{
    switch (reason) {
    case EndReason::quit: return "quit";
    case EndReason::client_closed: return "client closed";
    case EndReason::server_closed: return "raw ftpd closed";
    case EndReason::server_refused: return "raw ftpd refused";
    case EndReason::server_nonsense: return "raw ftpd spoke nonsense";
    case EndReason::server_unreachable: return "raw ftpd unreachable";
    case EndReason::server_timeout: return "raw ftpd timed out";
    case EndReason::login_timeout: return "login timed out";
    case EndReason::idle_timeout: return "idle timeout";
    case EndReason::starttls_injection: return "plain text behind AUTH";
    case EndReason::tls_failed: return "TLS failed";
    case EndReason::too_many_bad_commands: return "too many bad commands";
    case EndReason::too_many_login_failures: return "too many login failures";
    case EndReason::http_client: return "HTTP client";
    case EndReason::drained: return "shutting down";
    case EndReason::connection_broken: return "connection broken";
    case EndReason::access_refused: return "access refused";
    case EndReason::server_not_secured: return "server not secured";
    case EndReason::left_alone: return "left alone";
    case EndReason::server_out_of_step: return "raw ftpd out of step";
    case EndReason::too_many_waiting_commands: return "too many waiting commands";
    }
    return "unknown";
}

ControlChannel::ControlChannel(const Policy& policy, const Endpoint& client, const IpAddress& server)
    : policy_(policy)
    , client_(client)
    , server_is_ipv4_(server.is_ipv4())
    , tls_is_starting_(policy.implicit_tls)
    , is_data_protected_(policy.implicit_tls)
{
    server_mode_ = policy.server_data_mode == ServerDataMode::automatic ? ServerDataMode::epsv : policy.server_data_mode;
}

ControlChannel::~ControlChannel() { wipe(output_.to_server); }

Output ControlChannel::take_output() { return std::exchange(output_, {}); }

void ControlChannel::reply(std::string_view line)
{
    send(line);
    send("\r\n");
}

// While TLS is being negotiated there is no way to say anything: in clear it would be a forgery's like.
void ControlChannel::send(std::string_view text)
{
    if (!has_ended_ && !tls_is_starting_)
        output_.to_client += text;
}

/// `text` with the server's name in this role for its "%".
std::string ControlChannel::naming_server(std::string_view text) const
{
    std::string named(text);
    const auto place = named.find('%');
    return place == std::string::npos ? named : named.replace(place, 1, policy_.server_words);
}

void ControlChannel::act(Action action)
{
    if (!has_ended_)
        output_.actions.push_back(std::move(action));
}

void ControlChannel::end(EndReason reason, std::string_view farewell)
{
    if (has_ended_)
        return;
    if (transfer_) {
        act(AbortData{});
        act(TransferEnded{transfer_->direction, transfer_->command.name, transfer_->command.argument, is_ascii_, false,
            "session ended: " + std::string(to_string(reason))});
    }
    if (!farewell.empty())
        reply(farewell);
    act(End{reason});
    has_ended_ = true;
}

// ---- the client's lines

bool ControlChannel::wants_client_lines() const
{
    const bool has_room = transfer_ || queue_.commands() < policy_.waiting_commands;
    return !has_ended_ && pending_ != Question::greeting && !auth_is_waiting_ && has_room;
}

void ControlChannel::on_client_line(std::string_view line) { take(parse_command(line)); }

void ControlChannel::on_client_line_too_long() { take(std::unexpected(CommandProblem::too_long)); }

void ControlChannel::take(Waited waited)
{
    if (has_ended_)
        return;
    if (auth_is_waiting_)
        return on_plaintext_after_auth();
    if (waited && transfer_) {
        if (waited->verb == Verb::abor)
            abort_transfer();
        else if (waited->verb == Verb::stat && !waited->has_argument && is_status_due())
            return execute_status_now();
    }
    if (transfer_ && queue_.size() >= kMoreDuringTransfers * policy_.waiting_commands)
        return end(EndReason::too_many_waiting_commands, "421 Too many commands are waiting for the transfer's end, closing.");
    auth_is_waiting_ = waited && waited->verb == Verb::auth && accepts_auth(*waited);
    queue_.push(std::move(waited));
}

// The client knows how its transfer ended; the raw ftpd may take its time to say so, or never do it. ABOR does not wait for it,
// nor do NOOPs that stand before it.
bool ControlChannel::needs_no_server() const
{
    const bool is_told = transfer_ && transfer_->verdict_given;
    return is_told && (queue_.begins_with(Verb::abor) || (queue_.begins_with(Verb::noop) && queue_.has(Verb::abor)));
}

// One at a time: hours of NOOPs may wait, and the shell knows how many replies the client has not yet read.
void ControlChannel::answer_without_server()
{
    const bool is_noop = queue_.begins_with(Verb::noop);
    queue_.pop();
    if (is_noop)
        return reply("200 Ready.");
    abor_was_done_ = false;
    reply(kAborDone);
}

bool ControlChannel::is_drain_due() const { return is_draining_ && !tls_is_starting_ && waiting() == Waiting::client; }

bool ControlChannel::can_proceed() const
{
    if (has_ended_ || needs_no_server())
        return !has_ended_;
    if (pending_ != Question::nothing)
        return false;
    return asks_again_ || (setup_ != Setup::preparing && !queue_.empty()) || is_drain_due();
}

void ControlChannel::proceed()
{
    if (!can_proceed())
        return;
    if (needs_no_server())
        return answer_without_server();
    if (std::exchange(asks_again_, false))
        return ask_server_for_data();
    while (!has_ended_ && pending_ == Question::nothing && setup_ != Setup::preparing && !queue_.empty()) {
        Waited waited = queue_.pop();
        if (!waited) {
            refuse(waited.error());
            continue;
        }
        execute(*waited);
        wipe(waited->argument); // also that of a PASS that was refused
    }
    if (is_drain_due())
        end(EndReason::drained, "421 This server is shutting down, please try again later.");
}

void ControlChannel::refuse(CommandProblem problem)
{
    switch (problem) {
    case CommandProblem::empty: reply("500 Empty command line."); break;
    case CommandProblem::nul_or_cr: reply("501 NUL and CR are not accepted in a command line."); break;
    case CommandProblem::bad_verb: reply("500 Not an FTP command."); break;
    case CommandProblem::too_long: reply("500 Command line too long."); break;
    }
    count_bad_command();
}

void ControlChannel::count_bad_command()
{
    if (++bad_commands_ >= policy_.bad_commands)
        end(EndReason::too_many_bad_commands, "421 Too many bad commands, closing.");
}

void ControlChannel::execute(Command& command)
{
    if (!is_allowed_now(command))
        return;
    if (is_logged_in())
        bad_commands_ = 0;
    if (is_kept_from_server() && answer_before_tls(command))
        return;
    switch (command.verb) {
    case Verb::http: return end(EndReason::http_client, "421 This is an FTP server.");
    case Verb::user: return execute_user(std::move(command));
    case Verb::pass: return forward(command, Question::pass);
    case Verb::acct: return forward(command, Question::acct);
    case Verb::quit: return forward(command, Question::quit);
    case Verb::host: return execute_host(command);
    case Verb::feat: return forward(command, Question::feat);
    case Verb::rein: return reply("502 REIN is not supported here: please log in over a new connection.");
    case Verb::third_party: return reply("502 Only PASV, EPSV, PORT and EPRT are supported.");
    case Verb::auth:
    case Verb::pbsz:
    case Verb::prot:
    case Verb::ccc:
    case Verb::adat:
    case Verb::protected_command: return execute_security(command);
    case Verb::pasv: return execute_pasv();
    case Verb::epsv: return execute_epsv(command);
    case Verb::port: return execute_port(command);
    case Verb::eprt: return execute_eprt(command);
    case Verb::retr:
    case Verb::list:
    case Verb::nlst:
    case Verb::mlsd:
    case Verb::stor:
    case Verb::stou:
    case Verb::appe: return execute_transfer(std::move(command));
    case Verb::abor: return execute_abor();
    case Verb::mode:
        if (!equals_ignoring_case(command.argument, "S"))
            return reply(command.argument.empty() ? "501 MODE takes a mode: S." : "504 Only MODE S is supported.");
        return forward(command, Question::relayed);
    case Verb::stru:
        if (!equals_ignoring_case(command.argument, "F"))
            return reply(command.argument.empty() ? "501 STRU takes a structure: F." : "504 Only STRU F is supported.");
        return forward(command, Question::relayed);
    case Verb::type: return execute_type(command);
    case Verb::stat:
    case Verb::noop:
    case Verb::syst:
    case Verb::help:
    case Verb::opts:
    case Verb::clnt:
    case Verb::other: return forward(command, Question::relayed);
    }
}

// RFC 7151. The raw ftpd knows its virtual hosts, if any; TLS has already fixed which one the client means.
void ControlChannel::execute_host(const Command& command)
{
    if (login_ != Login::none)
        return reply("503 HOST must come before USER.");
    const bool is_ipv6_literal = command.argument.starts_with('[') && command.argument.ends_with(']');
    if (command.argument.empty() || (!is_ipv6_literal && command.argument.contains(':')))
        return reply("501 HOST takes a host name without a port.");
    if (!server_name_.empty() && !equals_ignoring_case(command.argument, server_name_))
        return reply("504 HOST differs from the name given in TLS.");
    forward(command, Question::host);
}

// The type is the raw ftpd's affair: the gateway moves bytes as they are. Only the transfer log wants to know it.
void ControlChannel::execute_type(const Command& command)
{
    asked_for_ascii_ = upper_case(command.argument).starts_with('A');
    forward(command, Question::type);
}

// The raw ftpd never sees ABOR: a reset of its data connection ends the transfer with every ftpd, while their answers to ABOR
// differ.
void ControlChannel::execute_abor()
{
    if (std::exchange(abor_was_done_, false) || setup_ != Setup::none) {
        forget_data();
        return reply(kAborDone);
    }
    reply("225 No transfer to abort.");
}

// All that the client has a hand in and that goes to the raw ftpd passes here. A longer line than it reads at once would be two
// commands there, the second of which nobody has judged.
void ControlChannel::forward(const Command& command, Question question)
{
    if (command.line_bytes() > policy_.server_line_bytes) {
        reply(naming_server("500 Command line too long: % reads ") + std::to_string(policy_.server_line_bytes) + " bytes.");
        if (!is_logged_in())
            count_bad_command();
        return;
    }
    command.append_line(output_.to_server);
    pending_ = question;
    has_changed_in_clear_ = has_changed_in_clear_ || (!is_secure_ && outlives_auth(command.verb));
    reply_bytes_ = 0;
    preliminaries_ = 0;
    collected_.clear();
}

void ControlChannel::on_client_end() { end(EndReason::client_closed); }

void ControlChannel::on_connection_broken() { end(EndReason::connection_broken); }

// ---- the raw ftpd's lines

// Its own words for the log: the client hears ours, and the administrator wants to know what is wrong with it.
void ControlChannel::note_words(std::string_view event, std::string_view words)
{
    words = words.substr(0, std::min(words.find('\r'), kMostWords));
    act(Note{event, naming_server("% says: ") += words});
}

void ControlChannel::on_server_line(std::string_view line)
{
    if (has_ended_)
        return;
    const auto reply_line = reply_reader_.read(line);
    if (!reply_line) {
        note_words("server-nonsense", line);
        return end(EndReason::server_nonsense, naming_server("421 % does not speak FTP, closing."));
    }
    on_reply_line(*reply_line);
}

void ControlChannel::on_server_line_too_long()
{
    end(EndReason::server_nonsense, naming_server("421 % sent an endless line, closing."));
}

void ControlChannel::on_server_end()
{
    if (pending_ == Question::quit)
        return end(EndReason::quit, "221 Goodbye.");
    server_has_ended_ = true;
    if (transfer_ && transfer_->final_code && !transfer_->verdict_given)
        return; // it has said that the transfer is whole: the client is still owed the rest of it
    end(EndReason::server_closed, naming_server("421 % closed the connection."));
}

void ControlChannel::on_server_unreachable()
{
    end(EndReason::server_unreachable, naming_server("421 % cannot be reached, please try again later."));
}

void ControlChannel::on_server_unusable(EndReason reason, std::string_view farewell) { end(reason, farewell); }

void ControlChannel::on_reply_line(const ReplyLine& line)
{
    reply_bytes_ += line.text.size() + 2;
    if (reply_bytes_ > policy_.reply_bytes)
        return end(EndReason::server_nonsense, naming_server(kEndlessReply));
    if (pending_ == Question::nothing || (transfer_ && transfer_->final_code))
        return on_unexpected(line);
    const bool is_own_noops = transfer_ && transfer_->is_asked_for_end && line.code == kNoopsReply;
    if (line.is_first && !is_own_noops && !can_answer(pending_, line.code))
        return end_out_of_step("reply-out-of-step", "% answered something that it was not asked: ", line);
    if (is_preliminary(line.code) && line.is_last && ++preliminaries_ > kMaxPreliminaries)
        return end(EndReason::server_nonsense, naming_server(kEndlessReply));
    if (pending_ == Question::transfer)
        return on_transfer_line(line);

    if (is_preliminary(line.code))
        reply(line.text);
    else if (is_read_whole(pending_))
        collected_ += line.text + "\r\n";
    else if (pending_ != Question::own_noop)
        reply(line.text);
    if (line.is_last && !is_preliminary(line.code))
        on_final(line.code);
}

void ControlChannel::on_unexpected(const ReplyLine& line)
{
    if (line.code != 421)
        return end_out_of_step("unexpected-reply", "% sent a reply that nobody asked for: ", line);
    note_words("server-closed", line.text);
    reply("421 " + line.text.substr(4)); // one line, whether or not more of it comes
    end(EndReason::server_closed);
}

// From here on every reply could be another command's: nothing may be built on them.
void ControlChannel::end_out_of_step(std::string_view event, std::string_view what, const ReplyLine& line)
{
    act(Note{event, naming_server(what) + line.text.substr(0, kMostWords)});
    end(EndReason::server_out_of_step, naming_server("421 % is out of step with its client, closing."));
}

void ControlChannel::on_final(int code)
{
    const Question answered = std::exchange(pending_, Question::nothing);
    if (answered == Question::greeting)
        return on_greeting_final(code);
    const std::string held = std::exchange(collected_, {});
    if (code == 421) {
        if (answered == Question::pass && !is_logged_in())
            act(LoginFailed{asked_user_}); // one too many, as some say it
        send(held);
        return end(EndReason::server_closed);
    }
    switch (answered) {
    case Question::user: return on_user_final(code);
    case Question::pass:
    case Question::acct: return on_login_final(code);
    case Question::quit: return end(EndReason::quit);
    case Question::feat: return answer_features(is_positive(code) ? held : "");
    case Question::epsv:
    case Question::pasv:
    case Question::port: return on_data_setup_final(code, held);
    case Question::type:
        if (is_positive(code))
            is_ascii_ = asked_for_ascii_;
        return;
    default: return;
    }
}

void ControlChannel::on_greeting_final(int code)
{
    const std::string greeting = std::exchange(collected_, {});
    if (code == 421) {
        note_words("server-refused", greeting);
        send(greeting);
        return end(EndReason::server_refused);
    }
    if (code != 220) {
        note_words("server-refused", greeting);
        return end(EndReason::server_refused, naming_server("421 % refused the connection."));
    }
    if (!policy_.passes_greeting)
        return;
    if (policy_.greeting.empty())
        send(greeting);
    else
        reply("220 " + policy_.greeting);
}

// ---- time

ControlChannel::Waiting ControlChannel::waiting() const
{
    if (has_ended_)
        return Waiting::nothing;
    if (pending_ == Question::greeting)
        return Waiting::greeting;
    if (transfer_) {
        if (transfer_->verdict_given && !transfer_->is_asked_for_end)
            return Waiting::aftermath;
        const bool server_owes_reply = !transfer_->preliminary_seen && !transfer_->final_code;
        const bool only_server_left
            = transfer_->verdict_given || transfer_->failure || (transfer_->data_is_over && !transfer_->final_code);
        return server_owes_reply || only_server_left ? Waiting::server : Waiting::data;
    }
    if (pending_ != Question::nothing || asks_again_)
        return Waiting::server;
    if (setup_ == Setup::preparing || auth_is_asked_)
        return Waiting::nothing;
    return queue_.empty() ? Waiting::client : Waiting::server; // it is in the middle of saying something
}

void ControlChannel::on_timeout(Waiting for_whom)
{
    switch (for_whom) {
    case Waiting::greeting:
        return end(EndReason::server_timeout, naming_server("421 % does not greet, please try again later."));
    case Waiting::server:
        return end(EndReason::server_timeout, naming_server("421 % does not answer, closing."));
    case Waiting::aftermath: return ask_whether_over();
    case Waiting::client: return end(EndReason::idle_timeout, "421 Nothing came for too long, closing.");
    case Waiting::data:
        on_transfer_failed(DataFailure::stalled);
        return;
    case Waiting::nothing: return;
    }
}

void ControlChannel::on_login_timeout() { end(EndReason::login_timeout, "421 Login took too long, closing."); }

void ControlChannel::on_drain() { is_draining_ = true; }

void ControlChannel::on_drain_over() { end(EndReason::drained, "421 This server shuts down now, the transfer was aborted."); }

} // namespace safetp::ftp
