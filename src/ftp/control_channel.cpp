#include "ftp/control_channel.h"

#include "ftp/features.h"
#include "ftp/reception.h"
#include "ftp/text.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace safetp::ftp {

namespace {

constexpr unsigned kMaxExtraReplies = 100; // preliminary or unasked for, per command; more is a raw ftpd gone mad
constexpr std::string_view kEndlessReply = "421 % sent an endless reply, closing.";

void wipe(std::string& text)
{
    text.resize(text.capacity()); // what a longer text left behind is wiped too
    ::explicit_bzero(text.data(), text.size());
    text.clear();
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
        act(TransferEnded{transfer_->direction, transfer_->command.name, transfer_->command.argument, is_ascii_, false});
    }
    if (!farewell.empty())
        reply(farewell);
    act(End{reason});
    has_ended_ = true;
}

// ---- the client's lines

bool ControlChannel::wants_client_lines() const
{
    return !has_ended_ && pending_ != Pending::greeting && !auth_is_waiting_ && queue_.size() < policy_.waiting_commands;
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
        else if (waited->verb == Verb::stat && !waited->has_argument && queue_.empty() && is_status_due())
            return execute_status_now();
    }
    auth_is_waiting_ = waited && waited->verb == Verb::auth && accepts_auth(*waited);
    queue_.push_back(std::move(waited));
    run_queue();
}

void ControlChannel::run_queue()
{
    while (!has_ended_ && pending_ == Pending::nothing && setup_ != Setup::preparing && !queue_.empty()) {
        Waited waited = std::move(queue_.front());
        if (queue_.front())
            wipe(queue_.front()->argument); // a short password is copied, not moved
        queue_.pop_front();
        if (!waited) {
            refuse(waited.error());
            continue;
        }
        execute(*waited);
        wipe(waited->argument); // also that of a PASS that was refused
    }
    if (is_draining_ && !tls_is_starting_ && waiting() == Waiting::client)
        end(EndReason::drained, "421 This server is shutting down, please try again later.");
}

void ControlChannel::refuse(CommandProblem problem)
{
    switch (problem) {
    case CommandProblem::empty: reply("500 Empty command line."); break;
    case CommandProblem::control_character: reply("501 Control characters are not accepted in a command line."); break;
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
    switch (command.verb) {
    case Verb::http: return end(EndReason::http_client, "421 This is an FTP server.");
    case Verb::user: return execute_user(std::move(command));
    case Verb::pass: return forward(command, Pending::pass);
    case Verb::quit: return forward(command, Pending::quit);
    case Verb::host: return execute_host(command);
    case Verb::feat: return forward(command, Pending::feat);
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
        return forward(command, Pending::relayed);
    case Verb::stru:
        if (!equals_ignoring_case(command.argument, "F"))
            return reply(command.argument.empty() ? "501 STRU takes a structure: F." : "504 Only STRU F is supported.");
        return forward(command, Pending::relayed);
    case Verb::type: return execute_type(command);
    case Verb::acct: return forward(command, is_logged_in() ? Pending::relayed : Pending::pass);
    case Verb::stat:
    case Verb::noop:
    case Verb::clear_safe:
    case Verb::other: return forward(command, Pending::relayed);
    }
}

void ControlChannel::execute_user(Command command)
{
    if (!proxy_name_.empty()) {
        const auto named = parse_proxy_user(command.argument);
        if (named && !equals_ignoring_case(named->server, proxy_name_))
            return reply("530 This session is with " + proxy_name_ + ": please open another one for another server.");
        if (named)
            command.argument = named->user;
    }
    asked_user_ = command.argument;
    forward(command, Pending::user);
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
    forward(command, Pending::relayed);
}

// The type is the raw ftpd's affair: the gateway moves bytes as they are. Only the transfer log wants to know it.
void ControlChannel::execute_type(const Command& command)
{
    asked_for_ascii_ = upper_case(command.argument).starts_with('A');
    forward(command, Pending::type);
}

// The raw ftpd never sees ABOR: a reset of its data connection ends the transfer with every ftpd, while their answers to ABOR
// differ.
void ControlChannel::execute_abor()
{
    if (std::exchange(abor_was_done_, false) || setup_ != Setup::none) {
        forget_data();
        return reply("226 Abort successful.");
    }
    reply("225 No transfer to abort.");
}

// All that goes to the raw ftpd passes here. A longer line than it reads at once would be two commands there, the second of
// which nobody has judged.
void ControlChannel::forward(const Command& command, Pending pending)
{
    if (command.line_bytes() > policy_.server_line_bytes) {
        reply(naming_server("500 Command line too long: % reads ") + std::to_string(policy_.server_line_bytes) + " bytes.");
        if (!is_logged_in())
            count_bad_command();
        return;
    }
    command.append_line(output_.to_server);
    pending_ = pending;
    reply_bytes_ = 0;
    extra_replies_ = 0;
    collected_.clear();
}

void ControlChannel::on_client_end() { end(EndReason::client_closed); }

void ControlChannel::on_connection_broken() { end(EndReason::connection_broken); }

// ---- the raw ftpd's lines

// Its own words for the log: the client hears ours, and the administrator wants to know what is wrong with it.
void ControlChannel::note_words(std::string_view event, std::string_view words)
{
    constexpr std::size_t kMostBytes = 200;
    words = words.substr(0, std::min(words.find('\r'), kMostBytes));
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
    run_queue();
}

void ControlChannel::on_server_line_too_long()
{
    end(EndReason::server_nonsense, naming_server("421 % sent an endless line, closing."));
}

void ControlChannel::on_server_end()
{
    if (pending_ == Pending::quit)
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
    if (pending_ == Pending::nothing || is_inside_unexpected_)
        return on_unexpected(line);
    if (is_preliminary(line.code) && line.is_last && ++extra_replies_ > kMaxExtraReplies)
        return end(EndReason::server_nonsense, naming_server(kEndlessReply));
    if (pending_ == Pending::transfer)
        return on_transfer_line(line);

    const bool is_held = pending_ == Pending::greeting || pending_ == Pending::feat || pending_ == Pending::data_setup;
    if (is_held && !is_preliminary(line.code))
        collected_ += line.text + "\r\n";
    else if (pending_ != Pending::data_setup)
        reply(line.text);
    if (line.is_last && !is_preliminary(line.code))
        on_final(line.code);
}

void ControlChannel::on_unexpected(const ReplyLine& line)
{
    // Its other lines must not be taken for the reply to a command that is sent meanwhile.
    is_inside_unexpected_ = !line.is_last;
    if (!line.is_first)
        return;
    if (line.code == 421) {
        note_words("server-closed", line.text);
        reply("421 " + line.text.substr(4)); // one line, whether or not more of it comes
        return end(EndReason::server_closed);
    }
    if (++extra_replies_ > kMaxExtraReplies)
        return end(EndReason::server_nonsense, naming_server(kEndlessReply));
    act(Note{"unexpected-reply", "raw ftpd sent a reply that nobody asked for: " + line.text.substr(0, 80)});
}

void ControlChannel::on_final(int code)
{
    const Pending answered = std::exchange(pending_, Pending::nothing);
    const std::string held = std::exchange(collected_, {});
    if (answered == Pending::greeting) {
        collected_ = held;
        return on_greeting_final(code);
    }
    if (code == 421) {
        if (answered == Pending::pass)
            act(LoginFailed{user_}); // one too many, as some say it
        send(held);
        return end(EndReason::server_closed);
    }
    switch (answered) {
    case Pending::user: return on_user_final(code);
    case Pending::pass: return on_login_final(code);
    case Pending::quit: return end(EndReason::quit);
    case Pending::type:
        if (is_positive(code))
            is_ascii_ = asked_for_ascii_;
        return;
    case Pending::feat:
        send(make_feature_reply(is_positive(code) ? held : "",
            !is_client_leg_secured() ? OfferTls::no : policy_.allow_ccc ? OfferTls::yes_with_ccc : OfferTls::yes));
        return;
    case Pending::data_setup:
        collected_ = held;
        return on_data_setup_final(code);
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

// A USER that is refused changes nothing: whoever was logged in still is, and goes by his name in the logs.
void ControlChannel::on_user_final(int code)
{
    if (code >= 400)
        return note_login_failure(asked_user_);
    user_ = asked_user_;
    user_is_anonymous_ = equals_ignoring_case(user_, "anonymous") || equals_ignoring_case(user_, "ftp");
    on_login_final(code);
}

void ControlChannel::on_login_final(int code)
{
    if (is_positive(code)) {
        login_ = Login::done;
        return act(LoggedIn{user_});
    }
    if (code < 400) {
        login_ = Login::user_given;
        return;
    }
    login_ = Login::none;
    note_login_failure(user_);
}

void ControlChannel::note_login_failure(std::string user)
{
    act(LoginFailed{std::move(user)});
    if (++login_failures_ >= policy_.login_failures)
        end(EndReason::too_many_login_failures, "421 Too many login failures, closing.");
}

// ---- time

ControlChannel::Waiting ControlChannel::waiting() const
{
    if (has_ended_)
        return Waiting::nothing;
    if (pending_ == Pending::greeting)
        return Waiting::greeting;
    if (transfer_) {
        const bool server_owes_reply = !transfer_->preliminary_seen && !transfer_->final_code;
        const bool only_server_left
            = transfer_->verdict_given || transfer_->failure || (transfer_->data_is_over && !transfer_->final_code);
        return server_owes_reply || only_server_left ? Waiting::server : Waiting::data;
    }
    if (pending_ != Pending::nothing)
        return Waiting::server;
    return queue_.empty() && setup_ != Setup::preparing && !auth_is_asked_ ? Waiting::client : Waiting::nothing;
}

void ControlChannel::on_timeout(Waiting for_whom)
{
    switch (for_whom) {
    case Waiting::greeting:
        return end(EndReason::server_timeout, naming_server("421 % does not greet, please try again later."));
    case Waiting::server:
        return end(EndReason::server_timeout, naming_server("421 % does not answer, closing."));
    case Waiting::client: return end(EndReason::idle_timeout, "421 Nothing came for too long, closing.");
    case Waiting::data:
        on_transfer_failed(DataFailure::stalled);
        return;
    case Waiting::nothing: return;
    }
}

void ControlChannel::on_login_timeout() { end(EndReason::login_timeout, "421 Login took too long, closing."); }

void ControlChannel::on_drain()
{
    is_draining_ = true;
    run_queue();
}

void ControlChannel::on_drain_over() { end(EndReason::drained, "421 This server shuts down now, the transfer was aborted."); }

} // namespace safetp::ftp
