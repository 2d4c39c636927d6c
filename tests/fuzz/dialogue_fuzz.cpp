// The dialogue machine under random events: whatever client, raw ftpd and shell do, in whatever order, what must never happen
// does not. A model beside the machine keeps just enough to say so: who owes which reply, whether TLS is on, what became of the
// transfer.
#include "ftp/control_channel.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace safetp;
using namespace safetp::ftp;
using fuzz::require;
using Waiting = ControlChannel::Waiting;

constexpr auto kClientLines = std::to_array<std::string_view>({ "AUTH TLS", "AUTH SSL", "AUTH GSSAPI", "PBSZ 0", "PROT P",
    "PROT C", "CCC", "USER anna", "USER anonymous", "PASS secret", "ACCT x", "REIN", "HOST example.org", "FEAT", "NOOP", "QUIT",
    "PASV", "EPSV", "EPSV ALL", "EPSV 1", "PORT 192,0,2,9,200,1", "PORT 10,0,0,1,200,1", "EPRT |1|192.0.2.9|50001|",
    "EPRT |2|::1|50001|", "RETR a", "LIST", "STOR b", "STOU", "APPE c", "ABOR", "STAT", "STAT a", "TYPE A", "TYPE I", "MODE S",
    "MODE Z", "STRU F", "HELP", "OPTS UTF8 OFF", "HELP 01234567890123456789012345678901234567890123456789012345USER root", "REST 5", "SITE x", "SSCN ON", "a-b", "", "GET / HTTP/1.1", "USER anna@ftp.example.com", "USER anna@elsewhere",
    "\xff\xf4\xff\xf2"
    "ABOR" });
constexpr auto kServerLines = std::to_array<std::string_view>(
    { "220 Ready", "220-Ready", "120 Wait", "150 ok", "150-ok", "226 done", "226-done", "230 in", "331 Password", "332 Account",
        "350 more", "200 ok", "211-x", "211 x", "227 (10,0,0,1,200,2)", "227 (10,0,0,1,0,2)", "229 (|||50002|)", "229 none",
        "425 no", "426 cut", "421 bye", "421-bye", "500 what", "502 no", "530 no", "550 no", "text", "" });
constexpr std::array kFailures{ DataFailure::client_not_connected, DataFailure::client_unreachable,
    DataFailure::handshake_failed, DataFailure::not_resumed, DataFailure::client_broken, DataFailure::server_unreachable,
    DataFailure::server_broken, DataFailure::server_not_secured, DataFailure::stalled };

// With DIALOGUE_TRACE=1 in the environment a finding tells its story.
void trace(const char* what, std::string_view text)
{
    static const bool is_on = std::getenv("DIALOGUE_TRACE") != nullptr;
    if (is_on)
        std::fprintf(stderr, "%s %.*s\n", what, static_cast<int>(text.size()), text.data());
}

const Endpoint kClient{ IpAddress::from_ipv4({ 192, 0, 2, 9 }), 40'000 };
const Endpoint kGateway{ IpAddress::from_ipv4({ 198, 51, 100, 1 }), 40'001 };

class Bytes {
public:
    explicit Bytes(std::string_view input)
        : rest_(input)
    {
    }
    bool is_empty() const { return rest_.empty(); }
    std::uint8_t byte()
    {
        if (rest_.empty())
            return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    std::string line() // never with LF: the line buffer has taken it away
    {
        std::string text(rest_.substr(0, byte() % 64u));
        rest_.remove_prefix(std::min(rest_.size(), text.size()));
        std::ranges::replace(text, '\n', ' ');
        return text;
    }

private:
    std::string_view rest_;
};

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

bool is_anonymous(const Command& command)
{
    return command.verb == Verb::user && command.argument == "anonymous";
}

class Model {
public:
    explicit Model(Bytes& bytes)
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

    void run()
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

private:
    bool is_client_side() const { return policy_.secure_leg == SecureLeg::server; }

    // ---- events

    void happen(unsigned choice)
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

    void client_says(std::string_view line)
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

    void server_says(std::string_view line)
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
    void what_is_due(unsigned choice)
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

    void shell_says(unsigned choice)
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

    void happen_rarely(unsigned choice)
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

    void start_tls()
    {
        if (std::exchange(tls_may_start_, false))
            is_secure_ = true;
        machine_.on_tls_started("");
    }

    void answer_auth(bool is_accepted)
    {
        was_left_alone_ = auth_is_asked_ && is_accepted;
        auth_is_asked_ = false;
        machine_.on_auth_answered(is_accepted, is_accepted ? "234 go on" : "500 no");
    }

    void data_over()
    {
        if (!transfer_ || !transfer_->has_started)
            return;
        if (!transfer_->has_failed)
            transfer_->data_over = true;
        machine_.on_transfer_data_over();
    }

    void delivered()
    {
        if (transfer_ && finishing_)
            transfer_->delivered = true;
        machine_.on_transfer_delivered();
    }

    void data_failed(DataFailure failure)
    {
        note_failure();
        machine_.on_transfer_failed(failure);
    }

    void note_failure()
    {
        if (transfer_)
            transfer_->has_failed = true;
    }

    // ---- what must hold

    void check_output(const Output& output)
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

    void check_server_text(std::string_view text)
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

    void check_forwarded(const Command& command)
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

    void check_client_text(std::string_view text)
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

    void check_client_final(int code)
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

    void check_state()
    {
        require(ended_ == machine_.has_ended(), "End says what has_ended() says");
        require(!ended_ || (machine_.waiting() == Waiting::nothing && !machine_.wants_client_lines()), "the end is the end");
        if (!ended_ && machine_.waiting() == Waiting::client)
            require(commands_.empty() && finals_owed_ == 0, "every command has had its final reply");
        require(
            ended_ || machine_.is_transferring() == transfer_.has_value(), "a transfer lasts until it is said to have ended");
    }

    // ---- actions

    void check_action(const StartTls&)
    {
        require(!is_client_side(), "the client's leg stays plain");
        require(!is_secure_ && !was_cleared_, "TLS starts once");
        require(!was_told_in_clear_, "nobody is logged in, and nothing was set, when TLS starts");
        tls_may_start_ = true;
    }
    void check_action(const EndTls&)
    {
        require(is_secure_ && policy_.allow_ccc, "CCC only where it is allowed");
        is_secure_ = false;
        was_cleared_ = true;
    }
    void check_action(const AskForAuth& action)
    {
        require(is_client_side() && !auth_is_asked_, "the server is asked for AUTH on a client side, once at a time");
        require(!machine_.is_logged_in(), "and while nobody is logged in");
        require(parse_command("AUTH " + action.mechanism).has_value(), "with a mechanism that is one word of a command");
        auth_is_asked_ = true;
    }
    void check_action(const ExpectTransfer&)
    {
        require(is_client_side() && transfer_ && !transfer_->has_started, "a transfer is expected before it starts");
        require(std::exchange(transfer_->is_expected, true) == false, "once");
    }
    void check_action(const OpenPassive& action)
    {
        require(!action.is_protected || is_secure_ || was_cleared_, "no TLS on data connections without TLS on the control connection");
        wants_passive_ = true;
    }
    void check_action(const ListenForServer&) { wants_listener_ = true; }
    void check_action(const UseActive& action)
    {
        require(action.client.address == kClient.address && action.client.port >= 1024, "only the client itself is dialled");
    }
    void check_action(const DialServer& action) { require(action.port >= 1024, "no low port is dialled"); }
    void check_action(const StartTransfer& action)
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
    void check_action(const FinishDownload&)
    {
        require(transfer_ && transfer_->has_started && transfer_->direction == Direction::download, "a download is finished");
        require(transfer_->data_over && !transfer_->has_failed && !transfer_->was_aborted, "only a whole one");
        require(server_final_.has_value(), "only when the raw ftpd has said what it is worth");
        finishing_ = true;
        transfer_->was_ended = true;
    }
    void check_action(const AwaitEnd&)
    {
        require(transfer_ && transfer_->direction == Direction::download && !transfer_->data_over, "data that are under way");
        require(server_final_ && !is_positive(*server_final_), "of a transfer that the raw ftpd has refused");
    }
    void check_action(const EndData&)
    {
        require(transfer_ && !transfer_->was_aborted, "only a transfer's data are ended");
        require(server_final_ && !is_positive(*server_final_), "of one that the raw ftpd has refused");
        require(transfer_->direction == Direction::upload || !transfer_->preliminary_seen, "and that has brought nothing");
        transfer_->was_ended = true;
    }
    void check_action(const AbortData&)
    {
        require(transfer_.has_value(), "only a transfer is aborted");
        transfer_->was_aborted = true;
        finishing_ = false;
    }
    void check_action(const AbortClientData&)
    {
        require(transfer_ && !transfer_->preliminary_seen, "the raw ftpd has not begun");
        transfer_->was_aborted = true;
    }
    void check_action(const CloseData&) { wants_passive_ = wants_listener_ = false; }
    void check_action(const TransferEnded& action)
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
    void check_action(const LoggedIn&)
    {
        const bool is_login = asked_.starts_with("USER") || asked_.starts_with("PASS") || asked_.starts_with("ACCT");
        require(is_login && server_final_ && is_positive(*server_final_), "the raw ftpd logs in, and only when it was asked");
    }
    void check_action(const LoginFailed&) { }
    void check_action(const Note& action) { require(action.text.size() < 1'000, "notes are short"); }
    void check_action(const End& action)
    {
        ended_ = true;
        require((action.reason == EndReason::left_alone) == was_left_alone_, "left alone when AUTH was accepted, and only then");
    }

    struct TransferModel {
        Direction direction = Direction::download;
        bool is_expected = false;
        bool has_started = false;
        bool data_over = false;
        bool delivered = false;
        bool has_failed = false;
        bool was_aborted = false;
        bool was_ended = false; ///< the client's data connection, in order
        std::optional<int> final_code; ///< what the client was told
        bool preliminary_seen = false;
    };

    Bytes& bytes_;
    Policy policy_;
    ControlChannel machine_;
    bool ended_ = false;
    bool is_secure_ = false;
    bool was_cleared_ = false;
    bool tls_may_start_ = false;
    bool greeted_ = false;
    bool client_was_greeted_ = false;
    bool user_is_anonymous_ = false;
    ReplyReader server_reader_;
    ReplyReader client_reader_;
    unsigned finals_owed_ = 1; ///< its greeting
    bool was_told_in_clear_ = false;
    std::optional<int> server_final_;
    std::string asked_;
    struct Owed {
        Verb verb = Verb::other;
        bool is_anonymous = false;
    };
    std::deque<Owed> commands_; ///< of the client's that have had no final reply
    bool is_stat_now_ = false;
    bool wants_passive_ = false;
    bool wants_listener_ = false;
    bool finishing_ = false;
    bool auth_is_asked_ = false;
    bool was_left_alone_ = false;
    std::optional<TransferModel> transfer_;
    std::optional<int> early_final_; ///< of a transfer that begins and ends in one output
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    Bytes bytes(fuzz::as_text(data, size));
    Model(bytes).run();
    return 0;
}
