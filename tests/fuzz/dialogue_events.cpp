// What client, raw ftpd and shell may do, as the fuzzer's input chooses.
#include "fuzz/dialogue_model.h"
#include "fuzz/fuzz.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace safetp::fuzz {

using Waiting = ControlChannel::Waiting;

namespace {

constexpr auto kClientLines = std::to_array<std::string_view>({ "AUTH TLS", "AUTH SSL", "AUTH GSSAPI", "PBSZ 0", "PROT P",
    "PROT C", "CCC", "USER anna", "USER anonymous", "PASS secret", "ACCT x", "REIN", "HOST example.org", "FEAT", "NOOP", "QUIT",
    "PASV", "EPSV", "EPSV ALL", "EPSV 1", "PORT 192,0,2,9,200,1", "PORT 10,0,0,1,200,1", "EPRT |1|192.0.2.9|50001|",
    "EPRT |2|::1|50001|", "RETR a", "LIST", "STOR b", "STOU", "APPE c", "ABOR", "STAT", "STAT a", "TYPE A", "TYPE I", "MODE S",
    "MODE Z", "STRU F", "HELP", "OPTS UTF8 OFF", "HELP 01234567890123456789012345678901234567890123456789012345USER root", "REST 5",
    "SITE x", "SSCN ON", "a-b", "", "GET / HTTP/1.1", "USER anna@ftp.example.com", "USER anna@elsewhere",
    "\xff\xf4\xff\xf2"
    "ABOR" });
constexpr auto kServerLines = std::to_array<std::string_view>(
    { "220 Ready", "220-Ready", "120 Wait", "150 ok", "150-ok", "226 done", "226-done", "230 in", "331 Password", "332 Account",
        "350 more", "200 ok", "211-x", "211 x", "227 (10,0,0,1,200,2)", "227 (10,0,0,1,0,2)", "229 (|||50002|)", "229 none",
        "425 no", "426 cut", "421 bye", "421-bye", "500 what", "502 no", "530 no", "550 no", "text", "" });
constexpr std::array kFailures{ DataFailure::client_not_connected, DataFailure::client_unreachable,
    DataFailure::handshake_failed, DataFailure::not_resumed, DataFailure::client_broken, DataFailure::server_unreachable,
    DataFailure::server_broken, DataFailure::server_not_secured, DataFailure::stalled };

const Endpoint kGateway{ IpAddress::from_ipv4({ 198, 51, 100, 1 }), 40'001 };

Policy policy_from(Bytes& bytes)
{
    Policy policy;
    policy.security
        = std::array{ Security::required, Security::required_except_anonymous, Security::optional }[bytes.byte() % 3u];
    policy.server_data_mode = static_cast<ServerDataMode>(bytes.byte() % 4u);
    const auto flags = bytes.byte();
    policy.data_security_required = (flags & 1u) == 0;
    policy.implicit_tls = (flags & 2u) != 0;
    policy.allow_ccc = (flags & 4u) != 0;
    policy.waiting_commands = 1 + bytes.byte() % 8u;
    policy.reply_bytes = (flags & 8u) != 0 ? 100 : 16u << 20;
    policy.server_line_bytes = 64;
    if ((flags & 16u) != 0) { // a client side: the client's leg is plain and stays so
        policy.secure_leg = SecureLeg::server;
        policy.security = Security::optional;
        policy.implicit_tls = policy.allow_ccc = false;
        policy.passes_greeting = (flags & 32u) == 0;
    }
    return policy;
}

} // namespace

void trace(const char* what, std::string_view text)
{
    static const bool is_on = std::getenv("DIALOGUE_TRACE") != nullptr;
    if (is_on)
        std::fprintf(stderr, "%s %.*s\n", what, static_cast<int>(text.size()), text.data());
}

bool is_anonymous(const Command& command)
{
    return command.verb == Verb::user && command.argument == "anonymous";
}

DialogueModel::DialogueModel(Bytes& bytes)
    : bytes_(bytes)
    , policy_(policy_from(bytes))
    , machine_(policy_, kClient, IpAddress::from_ipv4({ 10, 0, 0, 1 }))
{
    if (is_client_side() && !policy_.passes_greeting) {
        client_was_greeted_ = true;
        machine_.set_proxy_name("ftp.example.com");
        machine_.on_client_line("USER anna"); // as the reception gives it, before the server's greeting
        commands_.push_back({ Verb::user, false });
    }
    tls_may_start_ = policy_.implicit_tls;
    if (policy_.implicit_tls)
        start_tls();
}

void DialogueModel::run()
{
    while (!bytes_.is_empty()) {
        happen(bytes_.byte());
        check_output(machine_.take_output());
        const bool has_more_come = bytes_.byte() % 4u == 0; // of the server's: nothing may go on yet
        while (!has_more_come && machine_.can_proceed()) {
            machine_.proceed();
            check_output(machine_.take_output());
        }
        check_state();
    }
}

void DialogueModel::happen(unsigned choice)
{
    if (choice < 64)
        return client_says(kClientLines[choice % kClientLines.size()]);
    if (choice < 112)
        return server_says(kServerLines[choice % kServerLines.size()]);
    if (choice < 176)
        return what_is_due(choice);
    if (choice < 184)
        return client_says(bytes_.line());
    if (choice < 192)
        return server_says(bytes_.line());
    trace("event", std::to_string(choice));
    if (choice < 240)
        return shell_says(choice);
    happen_rarely(choice);
}

void DialogueModel::client_says(std::string_view line)
{
    if (!machine_.wants_client_lines() || ended_)
        return;
    const auto command = parse_command(line);
    commands_.push_back({ command ? command->verb : Verb::other, command && is_anonymous(*command) });
    trace("C>", line);
    is_stat_now_ = command && command->verb == Verb::stat;
    const auto stored = std::ranges::count_if(commands_, [](const Owed& owed) { return owed.verb != Verb::noop; });
    require(std::cmp_less_equal(stored, 4 * policy_.waiting_commands + 2), "waiting commands are bounded");
    machine_.on_client_line(line);
}

void DialogueModel::server_says(std::string_view line)
{
    if (ended_)
        return;
    trace("S>", line);
    const auto reply = server_reader_.read(line);
    const bool is_unasked = reply && reply->is_first && finals_owed_ == 0;
    if (reply && reply->is_last && is_preliminary(reply->code) && transfer_) {
        // Pure-FTPd ends a transfer that was reset with a second preliminary reply and nothing more.
        if (transfer_->final_code && transfer_->preliminary_seen && finals_owed_ > 0)
            --finals_owed_;
        transfer_->preliminary_seen = true;
    }
    if (reply && reply->is_last && !is_preliminary(reply->code) && finals_owed_ > 0) {
        // Of a transfer that the ftpd speaks of no more, with a NOOP behind it.
        const bool ends_both = finals_owed_ == 2 && reply->code == 200;
        finals_owed_ = ends_both ? 0 : finals_owed_ - 1;
        server_final_ = reply->code;
        greeted_ = greeted_ || reply->code == 220;
    }
    machine_.on_server_line(line);
    require(!is_unasked || machine_.has_ended(), "a reply that nobody asked for ends the session");
}

// What a well-behaved raw ftpd or shell would do next: without it random events do not get far.
void DialogueModel::what_is_due(unsigned choice)
{
    if (tls_may_start_)
        return start_tls();
    if (auth_is_asked_)
        return answer_auth(choice % 2u == 0);
    if (std::exchange(wants_passive_, false))
        return machine_.on_passive_opened(kGateway);
    if (std::exchange(wants_listener_, false))
        return machine_.on_server_listener(kGateway);
    if (finals_owed_ == 0 && transfer_ && !transfer_->data_over)
        return data_over();
    if (finishing_)
        return delivered();
    if (finals_owed_ == 0)
        return;
    if (asked_.starts_with("USER"))
        return server_says("331 Password?");
    if (asked_.starts_with("PASS"))
        return server_says("230 in");
    if (asked_.starts_with("EPSV"))
        return server_says("229 (|||50002|)");
    if (asked_.starts_with("PASV"))
        return server_says("227 (10,0,0,1,200,2)");
    if (asked_.starts_with("FEAT"))
        return server_says("211 none");
    if (asked_.starts_with("ACCT"))
        return server_says("230 in");
    if (transfer_ && finals_owed_ == 1) {
        const bool is_early = !transfer_->preliminary_seen && choice % 8u != 0;
        return is_early ? server_says("150 ok") : choice % 4u == 1 ? data_over() : server_says("226 done");
    }
    server_says(greeted_ ? "200 ok" : "220 Ready");
}

void DialogueModel::shell_says(unsigned choice)
{
    switch (choice % 8u) {
    case 0:
        return data_over();
    case 1:
        return delivered();
    case 2:
        return data_failed(kFailures[bytes_.byte() % kFailures.size()]);
    case 3:
    case 4:
    case 5:
        if (std::exchange(wants_passive_, false) || std::exchange(wants_listener_, false))
            machine_.on_data_setup_failed("No port.");
        return;
    case 6:
        if (is_client_side())
            return answer_auth((choice & 8u) != 0);
        return start_tls();
    default:
        if (!machine_.wants_client_lines() || ended_)
            return;
        commands_.push_back({});
        return machine_.on_client_line_too_long();
    }
}

void DialogueModel::happen_rarely(unsigned choice)
{
    switch (choice) {
    case 240:
        return machine_.on_client_end();
    case 241:
        return machine_.on_server_end();
    case 242:
        return machine_.on_server_line_too_long();
    case 243:
        return machine_.on_server_unreachable();
    case 244:
        if (is_client_side())
            return machine_.on_server_unusable(EndReason::server_not_secured, "421 no");
        return machine_.on_tls_failed();
    case 245:
        return machine_.on_plaintext_after_auth();
    case 246:
        return machine_.on_drain();
    case 249:
        return machine_.on_drain_over();
    case 247:
        return machine_.on_connection_broken();
    case 248:
        return machine_.on_login_timeout();
    default:
        if (machine_.waiting() == Waiting::data)
            note_failure();
        return machine_.on_timeout(machine_.waiting());
    }
}

void DialogueModel::start_tls()
{
    if (std::exchange(tls_may_start_, false))
        is_secure_ = true;
    machine_.on_tls_started("");
}

void DialogueModel::answer_auth(bool is_accepted)
{
    was_left_alone_ = auth_is_asked_ && is_accepted;
    auth_is_asked_ = false;
    machine_.on_auth_answered(is_accepted, is_accepted ? "234 go on" : "500 no");
}

void DialogueModel::data_over()
{
    if (!transfer_ || !transfer_->has_started)
        return;
    if (!transfer_->has_failed)
        transfer_->data_over = true;
    machine_.on_transfer_data_over();
}

void DialogueModel::delivered()
{
    if (transfer_ && finishing_)
        transfer_->delivered = true;
    machine_.on_transfer_delivered();
}

void DialogueModel::data_failed(DataFailure failure)
{
    note_failure();
    machine_.on_transfer_failed(failure);
}

void DialogueModel::note_failure()
{
    if (transfer_)
        transfer_->has_failed = true;
}

} // namespace safetp::fuzz
