// The security extensions towards the client (RFC 2228, RFC 4217), and what may be said before they are in force.
#include "ftp/control_channel.h"

#include "ftp/features.h"
#include "ftp/text.h"

#include <array>
#include <charconv>
#include <utility>

namespace safetp::ftp {

namespace {

bool is_known_mechanism(std::string_view argument)
{
    constexpr std::array<std::string_view, 4> kMechanisms{"TLS", "TLS-C", "TLS-P", "SSL"};
    return contains(kMechanisms, upper_case(argument));
}

// What a client may feel its way with before AUTH. The gateway answers all of it itself.
bool is_harmless_before_tls(Verb verb)
{
    switch (verb) {
    case Verb::auth:
    case Verb::pbsz:
    case Verb::prot:
    case Verb::ccc:
    case Verb::adat:
    case Verb::protected_command:
    case Verb::feat:
    case Verb::noop:
    case Verb::quit:
    case Verb::rein:
    case Verb::abor:
    case Verb::syst:
    case Verb::help:
    case Verb::opts:
    case Verb::clnt:
    case Verb::http: return true;
    default: return false;
    }
}

bool is_login(Verb verb) { return verb == Verb::user || verb == Verb::pass || verb == Verb::acct; }

} // namespace

// In clear, where TLS is required: whoever is on the way to the client could say it in the client's name, and it would hold for
// the session that follows under TLS.
bool ControlChannel::is_kept_from_server() const
{
    const bool needs_tls = is_client_leg_secured() && policy_.security != Security::optional;
    return needs_tls && !is_secure_ && !was_cleared_ && !is_clear_anonymous_;
}

bool ControlChannel::is_allowed_now(const Command& command)
{
    const bool needs_tls = is_client_leg_secured() && policy_.security != Security::optional;
    if (!needs_tls || is_secure_)
        return true;
    bool is_allowed = is_clear_anonymous_ || is_harmless_before_tls(command.verb);
    if (was_cleared_)
        is_allowed = !is_login(command.verb);
    else if (command.verb == Verb::user)
        is_allowed = policy_.security == Security::required_except_anonymous && is_anonymous(command.argument);
    if (is_allowed)
        return true;
    if (command.verb == Verb::user)
        is_clear_anonymous_ = false; // the password that follows is not for the anonymous login
    reply("530 TLS is required here: please use AUTH TLS before USER.");
    if (is_login(command.verb))
        act(Note{"clear-login-refused", command.name + " without TLS refused"});
    count_bad_command();
    return false;
}

// True: answered here. The others never go to the raw ftpd, or are a login that may be made in clear.
bool ControlChannel::answer_before_tls(const Command& command)
{
    switch (command.verb) {
    case Verb::feat: answer_features(""); return true;
    case Verb::noop: reply("200 Ready."); return true;
    case Verb::help: reply("214 This is a gateway before an FTP server: please begin with AUTH TLS."); return true;
    case Verb::syst:
    case Verb::opts:
    case Verb::clnt: reply("530 " + command.name + " comes after AUTH TLS here."); return true;
    case Verb::quit: end(EndReason::quit, "221 Goodbye."); return true;
    default: return false;
    }
}

void ControlChannel::answer_features(std::string_view servers_own)
{
    send(make_feature_reply(servers_own,
        !is_client_leg_secured() ? OfferTls::no : policy_.allow_ccc ? OfferTls::yes_with_ccc : OfferTls::yes));
}

// RFC 2228 section 3: after AUTH nobody is logged in. What the raw ftpd has heard in clear cannot be taken back there.
bool ControlChannel::accepts_auth(const Command& command) const
{
    if (!is_client_leg_secured() && login_ != Login::none)
        return false;
    const bool comes_late = is_client_leg_secured() && has_changed_in_clear_;
    return !is_secure_ && !was_cleared_ && !comes_late && is_known_mechanism(command.argument);
}

void ControlChannel::execute_security(const Command& command)
{
    switch (command.verb) {
    case Verb::auth: return execute_auth(command);
    case Verb::pbsz: return execute_pbsz(command);
    case Verb::prot: return execute_prot(command);
    case Verb::ccc: return execute_ccc();
    case Verb::adat: return reply("503 AUTH TLS needs no ADAT.");
    default: return reply("533 Only TLS protects commands here.");
    }
}

void ControlChannel::execute_auth(const Command& command)
{
    if (command.argument.empty())
        return reply("501 AUTH takes a mechanism: TLS.");
    if (!is_known_mechanism(command.argument))
        return reply("504 Only AUTH TLS is supported.");
    if (!is_client_leg_secured())
        return leave_alone(command);
    if (!accepts_auth(command)) {
        auth_is_waiting_ = false; // it came behind a USER that had not had its turn
        if (is_secure_ || was_cleared_)
            return reply("503 TLS was negotiated already.");
        return reply("503 AUTH comes first: please use it over a new connection.");
    }
    reply("234 Ready for TLS.");
    const std::string mechanism = upper_case(command.argument);
    is_data_protected_ = mechanism == "SSL" || mechanism == "TLS-P"; // the old drafts' names that imply PROT P
    act(StartTls{});
    tls_is_starting_ = true;
}

// A client that knows TLS itself needs none of ours: the server is asked in its place, on a connection of its own.
void ControlChannel::leave_alone(const Command& command)
{
    // It must have been right when it came, so that nothing could come behind it, and still be.
    const bool is_last = queue_.empty();
    if (is_last)
        auth_is_waiting_ = auth_is_waiting_ && accepts_auth(command);
    if (!is_last || !auth_is_waiting_)
        return reply("503 AUTH comes before USER; SafeTP keeps this session safe already.");
    auth_is_asked_ = true;
    act(AskForAuth{command.argument});
}

void ControlChannel::on_auth_answered(bool is_accepted, std::string_view answer)
{
    if (has_ended_ || !std::exchange(auth_is_asked_, false))
        return;
    reply(answer);
    if (is_accepted)
        return end(EndReason::left_alone);
    auth_is_waiting_ = false; // it goes on in clear as far as it knows, and safely
}

void ControlChannel::on_tls_started(std::string server_name)
{
    if (has_ended_ || !tls_is_starting_)
        return;
    tls_is_starting_ = false;
    auth_is_waiting_ = false;
    is_secure_ = true;
    server_name_ = std::move(server_name);
}

void ControlChannel::on_tls_failed() { end(EndReason::tls_failed); }

void ControlChannel::on_plaintext_after_auth() { end(EndReason::starttls_injection); }

void ControlChannel::execute_pbsz(const Command& command)
{
    if (!is_secure_)
        return reply("503 PBSZ comes after AUTH.");
    std::uint32_t size = 0;
    const char* const end_of_text = command.argument.data() + command.argument.size();
    const auto [end_of_number, error] = std::from_chars(command.argument.data(), end_of_text, size);
    if (error != std::errc{} || end_of_number != end_of_text)
        return reply("501 PBSZ takes a number.");
    pbsz_given_ = true;
    reply("200 PBSZ=0");
}

void ControlChannel::execute_prot(const Command& command)
{
    if (!is_secure_ || !pbsz_given_)
        return reply(is_secure_ ? "503 PROT comes after PBSZ." : "503 PROT comes after AUTH and PBSZ.");
    const std::string level = upper_case(command.argument);
    if (level == "P") {
        is_data_protected_ = true;
        return reply("200 Data connections are private.");
    }
    if (level == "C") {
        if (policy_.data_security_required)
            return reply("534 PROT P is required here.");
        is_data_protected_ = false;
        return reply("200 Data connections are clear.");
    }
    if (level == "S" || level == "E")
        return reply("536 TLS knows only the levels C and P.");
    reply(level.empty() ? "501 PROT takes a level: P." : "504 Unknown protection level.");
}

void ControlChannel::execute_ccc()
{
    if (!is_secure_)
        return reply("533 The control connection is clear already.");
    if (!policy_.allow_ccc)
        return reply("534 CCC is not allowed here.");
    if (!is_logged_in())
        return reply("503 CCC comes after login.");
    reply("200 The control connection is clear from here on.");
    is_secure_ = false;
    was_cleared_ = true;
    act(EndTls{});
}

} // namespace safetp::ftp
