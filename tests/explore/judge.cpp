#include "judge.h"

#include <algorithm>
#include <array>
#include <string>
#include <variant>

namespace safetp::explore {

using Tls = Environment::Tls;
using Port = Environment::Port;
using Told = Environment::Told;
using Kind = Occurrence::Kind;
using Waiting = ftp::ControlChannel::Waiting;

namespace {

// What the gateway answers itself, or never lets through.
constexpr auto kNeverForServer = std::to_array<std::string_view>(
    {"AUTH", "PBSZ", "PROT", "CCC", "ADAT", "MIC", "CONF", "ENC", "ABOR", "REIN", "GET", "SSCN", "CPSV"});

int code_of(std::string_view line)
{
    const bool is_code
        = line.size() >= 3 && std::ranges::all_of(line.substr(0, 3), [](char c) { return c >= '0' && c <= '9'; });
    return is_code ? (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0') : 0;
}

std::string_view second_word(std::string_view line)
{
    line.remove_prefix(std::min<std::size_t>(4, line.size()));
    return line.substr(0, line.find(' '));
}

} // namespace

void Judge::require(bool holds, std::string_view property, std::string_view what, std::string_view detail) const
{
    const auto& ignored = configuration_.ignored;
    if (holds || std::ranges::find(ignored, property) != ignored.end())
        return;
    throw Violation{std::string(property), std::string(what), escaped(detail)};
}

void Judge::require_in_step(bool holds, std::string_view property, std::string_view what, std::string_view detail) const
{
    require(holds || environment_.has_repeated, property, what, detail);
}

void Judge::judge_output(const ftp::Output& output)
{
    require(!environment_.has_ended || (output.to_client.empty() && output.to_server.empty() && output.actions.empty()), "S9",
        "something came out after End");
    judge_server_text(output.to_server);
    judge_client_text(output.to_client);
    for (const auto& action : output.actions) {
        require(!environment_.has_ended, "S9", "an action came after End");
        std::visit([this](const auto& it) { judge(it); }, action);
    }
}

// ---- what goes to the raw ftpd

void Judge::judge_server_text(std::string_view text)
{
    if (text.empty())
        return;
    require(text.ends_with("\r\n"), "S7", "a line to the raw ftpd does not end in CRLF", text);
    require(environment_.has_greeted, "S2", "something was sent before the raw ftpd's greeting", text);
    for (const std::string& line : read_by_server(text, configuration_.server_reads)) {
        const Question question = understood_by_server(line);
        const bool is_own_noop = environment_.asked.size() == 1 && environment_.transfer && environment_.transfer->was_aborted
            && question.asked == Asked::noop;
        require(environment_.asked.is_empty() || is_own_noop || environment_.has_repeated, "S2",
            "the raw ftpd reads a command while another one is with it", line);
        judge_server_line(line, question);
        if (!environment_.asked.is_full())
            environment_.asked.push_back(question);
        if (question.asked == Asked::transfer) {
            require(!environment_.transfer, "S2", "a transfer begins inside another one", line);
            environment_.transfer.emplace(Environment::Transfer{});
            environment_.transfer->direction = line.starts_with("STOR") ? ftp::Direction::upload : ftp::Direction::download;
        }
    }
}

void Judge::judge_server_line(std::string_view line, const Question& question)
{
    require(line.find_first_of(std::string_view("\r\n\0", 3)) == line.npos, "S7", "CR, LF or NUL goes to the raw ftpd", line);
    require(may_go_to_server(question), "S1", "this goes to the raw ftpd before TLS", line);
    const std::string_view verb = line.substr(0, line.find(' '));
    require(std::ranges::find(kNeverForServer, verb) == kNeverForServer.end(), "S6", "this is not for the raw ftpd", line);
    if (question.asked == Asked::epsv || question.asked == Asked::pasv)
        require(line == verb, "S6", "the client's argument goes to the raw ftpd", line);
    if (question.asked == Asked::port)
        require(line == "PORT 198,51,100,1,156,65" || line == "EPRT |1|198.51.100.1|40001|", "S6",
            "an address that is not the gateway's goes to the raw ftpd", line);
}

bool Judge::may_go_to_server(const Question& question) const
{
    const ftp::Security security = configuration_.policy.security;
    const bool is_login = question.asked == Asked::user || question.asked == Asked::pass;
    if (is_client_side() || security == ftp::Security::optional || environment_.tls == Tls::secure)
        return true;
    if (environment_.tls == Tls::cleared)
        return !is_login;
    if (security == ftp::Security::required)
        return false;
    const User user = question.asked == Asked::user ? question.user : environment_.last_user;
    return user == User::anonymous;
}

// ---- what goes to the client

void Judge::judge_client_text(std::string_view text)
{
    if (environment_.stat_came_in_transfer && text.starts_with("211-Transfer in progress")) {
        const auto& transfer = environment_.transfer;
        require_in_step(transfer && transfer->preliminary_seen && transfer->to_client == Told::nothing, "S3",
            "STAT is answered where the client waits for a transfer's first or last reply");
        environment_.unanswered.pop_back(); // answered at once, before those that wait
        text.remove_prefix(std::min(text.find("211 End\r\n"), text.size() - 9) + 9);
    }
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        require(end != text.npos, "S7", "a line to the client does not end in CRLF", text);
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 2);
        require(line.find_first_of(std::string_view("\r\n\0", 3)) == line.npos, "S7", "CR, LF or NUL goes to the client", line);
        require(environment_.tls != Tls::starting, "S1", "something is said while TLS is negotiated", line);
        const int code = code_of(line);
        const bool has_code = line.size() == 3 || (line.size() > 3 && (line[3] == ' ' || line[3] == '-'));
        if (environment_.inside_code == 0) {
            require(code >= 100 && has_code, "S7", "this is no reply", line);
            if (line.size() > 3 && line[3] == '-')
                environment_.inside_code = code;
        } else if (code == environment_.inside_code && line.size() > 3 && line[3] == ' ') {
            environment_.inside_code = 0;
        }
        if (environment_.inside_code == 0 && code >= 200)
            judge_client_final(line);
    }
}

void Judge::judge_client_final(std::string_view line)
{
    const int code = code_of(line);
    if (!environment_.was_greeted) {
        environment_.was_greeted = true;
        return require(code == 220 || code == 421, "S3", "this is no greeting", line);
    }
    if (code == 421)
        return; // it ends the session, whatever was asked: see End
    require(!environment_.unanswered.is_empty(), "S3", "the client asked nothing, and is answered", line);
    const ClientLine& answered = alphabet_.client_lines()[environment_.unanswered.front()];
    environment_.unanswered.pop_front();
    judge_tag(line, answered);
    note_final(answered, code);
}

// The second word says what the raw ftpd has answered with this, if it is the raw ftpd's.
void Judge::judge_tag(std::string_view line, const ClientLine& answered) const
{
    const auto tag = second_word(line);
    const bool is_ours = !tag.starts_with('<');
    const bool is_named_proxy = !configuration_.policy.passes_greeting;
    require(is_ours || !is_named_proxy || !answered.text.ends_with("@elsewhere"), "S10",
        "a login for another server goes to this one");
    if (is_ours || environment_.has_repeated)
        return;
    require(!line.ends_with(" again"), "S3", "a reply that was said twice counts for another command", line);
    const auto is = [tag](Asked asked) { return tag == tag_of(asked); };
    bool fits = false;
    switch (answered.says) {
    case Says::user: fits = is(Asked::user); break;
    case Says::pass: fits = is(Asked::pass); break;
    case Says::acct: fits = is(Asked::acct); break;
    case Says::noop: fits = is(Asked::noop); break;
    case Says::quit: fits = is(Asked::quit); break;
    case Says::feat: fits = is(Asked::feat); break;
    case Says::type: fits = is(Asked::type); break;
    case Says::stat:
    case Says::other: fits = is(Asked::other); break;
    case Says::setup: fits = is(Asked::epsv) || is(Asked::pasv) || is(Asked::port); break;
    case Says::transfer: fits = is(Asked::transfer); break;
    case Says::for_us: break;
    }
    require(fits, "S3", "a command is answered with the reply to another one", line);
}

void Judge::note_final(const ClientLine& answered, int code)
{
    const bool is_success = code < 300;
    auto& transfer = environment_.transfer;
    if (answered.text == "PROT P" && is_success)
        environment_.is_private = true;
    if (answered.text == "PROT C" && is_success)
        environment_.is_private = false;
    if (answered.text.starts_with("AUTH ") && code == 234)
        environment_.is_private = answered.text == "AUTH TLS-P" || answered.text == "AUTH SSL";
    if (answered.says == Says::setup && is_success && environment_.client_port == Port::open)
        environment_.client_port = Port::announced;
    if (answered.says != Says::transfer || !transfer || transfer->to_client != Told::nothing)
        return;
    transfer->to_client = is_success ? Told::success : Told::failure;
    const bool is_whole = transfer->preliminary_seen && transfer->data_over && !transfer->has_failed && !transfer->was_aborted
        && transfer->by_server == Told::success && (transfer->direction == ftp::Direction::upload || transfer->is_delivered);
    require(!is_success || is_whole, "S4", "the client hears that a transfer was whole, and it was not");
}

// ---- what the shell is told

void Judge::judge(const ftp::StartTls&)
{
    require(!is_client_side() && environment_.tls == Tls::clear, "S1", "TLS begins where it cannot");
    require(environment_.login.step == ServerLogin::Step::none, "S11", "TLS begins after a login that was said in clear");
    environment_.tls = Tls::starting;
}

void Judge::judge(const ftp::EndTls&)
{
    require(environment_.tls == Tls::secure && configuration_.policy.allow_ccc, "S1", "TLS ends where it may not");
    environment_.tls = Tls::cleared;
}

void Judge::judge(const ftp::AskForAuth&)
{
    require_in_step(is_client_side() && !environment_.auth_is_asked, "S6", "AUTH is asked for where it cannot");
    require_in_step(environment_.login.step == ServerLogin::Step::none, "S11", "AUTH is asked for after a login");
    environment_.auth_is_asked = true;
}

void Judge::judge(const ftp::OpenPassive& action)
{
    require(environment_.client_port == Port::none, "S5", "a port is opened beside an open one");
    require(environment_.server_port != Port::none, "S5", "the client may come, and nobody is there");
    require(
        action.is_protected == (was_secured() && environment_.is_private), "S12", "a port is opened at another level of PROT");
    environment_.client_port = Port::wanted;
}

void Judge::judge(const ftp::UseActive& action)
{
    const Endpoint& client = configuration_.client_is_ipv6 ? kClient6 : kClient;
    require(action.client.address == client.address && action.client.port >= 1024, "S6", "somebody else is dialled");
    require(environment_.client_port == Port::none, "S5", "the client is dialled beside an open port");
    environment_.client_port = Port::announced;
}

void Judge::judge(const ftp::DialServer& action)
{
    require(action.port == kEpsvPort || action.port == kPasvPort, "S3",
        "a port is dialled that was not said in reply to EPSV or PASV", std::to_string(action.port));
    require(environment_.server_port == Port::none, "S5", "the raw ftpd is dialled beside an open port");
    environment_.server_port = Port::announced;
}

void Judge::judge(const ftp::ListenForServer&)
{
    require(environment_.server_port == Port::none, "S5", "a port for the raw ftpd is opened beside an open one");
    environment_.server_port = Port::wanted;
}

void Judge::judge(const ftp::ExpectTransfer&)
{
    auto& transfer = environment_.transfer;
    require(is_client_side() && transfer && !transfer->has_started && !transfer->is_expected, "S4",
        "no transfer is to be expected");
    if (transfer)
        transfer->is_expected = true;
}

void Judge::judge(const ftp::StartTransfer& action)
{
    auto& transfer = environment_.transfer;
    require(transfer && !transfer->has_started && !transfer->was_aborted && action.direction == transfer->direction, "S4",
        "a transfer starts that cannot");
    const bool is_private = was_secured() && environment_.is_private;
    require(action.is_protected == is_private, "S12", "a transfer starts at another level of PROT");
    require(is_private || !was_secured() || !configuration_.policy.data_security_required, "S1", "data go in clear");
    require(environment_.client_port == Port::announced && environment_.server_port != Port::none, "S5",
        "a transfer starts without its ports");
    environment_.client_port = environment_.server_port = Port::none;
    if (transfer)
        transfer->has_started = true;
}

void Judge::judge(const ftp::FinishDownload&)
{
    auto& transfer = environment_.transfer;
    const bool is_whole = transfer && transfer->has_started && transfer->direction == ftp::Direction::download
        && transfer->data_over && !transfer->has_failed && !transfer->was_aborted && transfer->by_server != Told::nothing;
    require_in_step(is_whole, "S4", "a download ends in order whose data did not, or that the raw ftpd has not judged");
    if (transfer)
        transfer->is_finishing = true;
}

void Judge::judge(const ftp::AwaitEnd&)
{
    const auto& transfer = environment_.transfer;
    require_in_step(transfer && transfer->by_server == Told::failure && transfer->has_started && !transfer->data_over, "S4",
        "the end of data is awaited that is there, or that does not matter");
}

void Judge::judge(const ftp::EndData&)
{
    const auto& transfer = environment_.transfer;
    require_in_step(transfer && transfer->by_server == Told::failure && !transfer->was_aborted, "S4",
        "data end in order that the raw ftpd has not refused");
    environment_.client_port = environment_.server_port = Port::none;
}

void Judge::judge(const ftp::AbortClientData&)
{
    auto& transfer = environment_.transfer;
    require(transfer && !transfer->preliminary_seen, "S4", "the client's data alone are reset where both were begun");
    if (transfer)
        transfer->was_aborted = true;
    environment_.client_port = Port::none;
}

void Judge::judge(const ftp::AbortData&)
{
    require(environment_.transfer.has_value(), "S4", "data are aborted without a transfer");
    if (environment_.transfer)
        environment_.transfer->was_aborted = true;
    environment_.client_port = environment_.server_port = Port::none;
}

void Judge::judge(const ftp::CloseData&) { environment_.client_port = environment_.server_port = Port::none; }

void Judge::judge(const ftp::LoggedIn& action)
{
    const ServerLogin& login = environment_.login;
    require(login.step == ServerLogin::Step::done && action.user == name_of(login.user), "S11",
        "somebody is called logged in whom the raw ftpd has not let in", action.user);
}

void Judge::judge(const ftp::LoginFailed&)
{
    require_in_step(environment_.login_was_refused, "S11", "a login is called failed that the raw ftpd has not refused");
}

void Judge::judge(const ftp::TransferEnded& action)
{
    const auto& transfer = environment_.transfer;
    require(transfer.has_value(), "S4", "a transfer ends that never was");
    if (transfer)
        require(action.is_complete == (transfer->to_client == Told::success), "S4",
            "the log says something else than the client heard");
    environment_.client_port = environment_.server_port = Port::none; // the shell closes what is left
    environment_.transfer.reset();
}

void Judge::judge(const ftp::Note& action) { require(action.text.size() < 1'000, "S8", "a note is too long"); }

void Judge::judge(const ftp::End& action)
{
    const bool is_left_alone = action.reason == ftp::EndReason::left_alone;
    require(is_left_alone == environment_.auth_is_accepted, "S10", "the session is left alone without need, or is not");
    environment_.has_ended = true;
    environment_.client_port = environment_.server_port = Port::none; // the shell closes all with the session
}

// ---- where it stands now

void Judge::judge_state(const ftp::ControlChannel& channel, Kind after)
{
    const Waiting waiting = channel.waiting();
    const bool has_ended = environment_.has_ended;
    require(has_ended == channel.has_ended(), "S9", "End and has_ended() differ");
    if (has_ended)
        return require(waiting == Waiting::nothing && !channel.wants_client_lines(), "S9", "the end is not the end");
    const std::size_t limit = configuration_.policy.waiting_commands;
    std::size_t lines = 0; // NOOPs in a row are one
    std::string_view last;
    for (const auto index : environment_.unanswered) {
        const std::string_view text = alphabet_.client_lines()[index].text;
        lines += text != "NOOP" || last != text ? 1 : 0;
        last = text;
    }
    require(lines <= limit || environment_.transfer || !channel.wants_client_lines(), "S8",
        "more commands are taken than may wait");
    require(lines <= 4 * limit + 1, "S8", "too many commands wait for a transfer's end");
    require(after != Kind::reply_again || (configuration_.habit == Habit::repeats_late && !environment_.nobody_waited), "S13",
        "a reply that nobody waits for does not end the session");
    const bool shell_is_asked = environment_.client_port == Port::wanted || environment_.server_port == Port::wanted
        || environment_.tls == Tls::starting || environment_.auth_is_asked;
    require(waiting != Waiting::nothing || shell_is_asked, "time", "it waits, and no timer runs");
    require(channel.is_transferring() == environment_.transfer.has_value(), "S4", "a transfer is forgotten, or never ends");
    if (waiting == Waiting::client && !environment_.has_repeated)
        require(
            environment_.unanswered.is_empty() && environment_.asked.is_empty(), "S3", "a command is without its final reply");
    require(waiting != Waiting::client || !environment_.is_draining || environment_.tls == Tls::starting, "S9",
        "nothing is under way, and a drain does not end the session");
    judge_waiting_lines();
    judge_login(channel);
    judge_ports(channel);
}

void Judge::judge_waiting_lines() const
{
    const auto& transfer = environment_.transfer;
    const bool is_told = transfer && transfer->to_client != Told::nothing;
    if (!is_told || environment_.more_has_come)
        return;
    for (const auto index : environment_.unanswered) {
        const std::string_view line = alphabet_.client_lines()[index].text;
        require_in_step(line != "ABOR", "S14", "an ABOR waits for the raw ftpd's word on its transfer");
        if (line != "NOOP")
            return;
    }
}

void Judge::judge_login(const ftp::ControlChannel& channel) const
{
    if (channel.expects_server() || environment_.has_repeated)
        return;
    const ServerLogin& login = environment_.login;
    const bool is_done = login.step == ServerLogin::Step::done;
    require(is_done == channel.is_logged_in(), "S11",
        is_done ? "the raw ftpd has a login that is not known here" : "a login is believed in that the raw ftpd has not");
    require(!is_done || channel.user() == name_of(login.user), "S11", "somebody else is logged in", channel.user());
}

void Judge::judge_ports(const ftp::ControlChannel& channel) const
{
    if (channel.waiting() != Waiting::client)
        return;
    require(environment_.client_port == Port::none || environment_.client_port == Port::announced, "S5",
        "a port is open that the client was not told");
    require((environment_.client_port == Port::none) == (environment_.server_port == Port::none), "S5",
        "one side of a data connection is prepared, and the other is not");
}

} // namespace safetp::explore
