#include "configuration.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace safetp::explore {

namespace {

using ftp::SecureLeg;
using ftp::Security;
using ftp::ServerDataMode;

// Cut at 64 bytes, with the end that the gateway writes, its end is a command.
const std::string kLongLine = "HELP " + std::string(59, 'A') + "USER mallory";

constexpr unsigned kNeverReached = 1'000;

using Lines = std::vector<std::string>;

const Lines kSecurity{
    "AUTH TLS", "PBSZ 0", "PROT P", "PROT C", "CCC", "USER anna", "PASS secret", "NOOP", "EPSV", "RETR a", "QUIT"};
const Lines kData{"AUTH TLS-P", "USER anna", "MKD (|||35079|)", "EPSV", "PASV", "EPRT |1|192.0.2.9|50003|", "RETR a", "STOR b",
    "ABOR", "STAT"};
const Lines kAtClientSide{"AUTH TLS", "USER anna", "PASS secret", "PROT P", "NOOP", "EPSV", "EPRT |1|192.0.2.9|50003|",
    "RETR a", "STOR b", "ABOR", "STAT", "QUIT"};

Lines with(Lines lines, const Lines& more)
{
    lines.insert(lines.end(), more.begin(), more.end());
    return lines;
}

Configuration front(std::string name, Lines lines)
{
    Configuration result;
    result.name = std::move(name);
    result.policy.waiting_commands = 2;
    result.policy.login_failures = 2;
    result.policy.bad_commands = kNeverReached;
    result.policy.server_line_bytes = result.server_reads;
    result.policy.server_data_mode = ServerDataMode::epsv;
    result.client_lines = std::move(lines);
    return result;
}

// Who may say what before, under and after TLS.
void add_securities(std::vector<Configuration>& all)
{
    constexpr std::array<std::string_view, 3> kNames{"required", "except-anonymous", "optional"};
    for (unsigned i = 0; i < 12; ++i) {
        const auto security = static_cast<Security>(i / 4);
        const bool is_free = (i & 1u) != 0; // CCC, and data in clear
        const bool is_implicit = (i & 2u) != 0;
        Configuration one = front("security " + std::string(kNames.at(i / 4)) + (is_free ? ", clear data, CCC" : "")
                + (is_implicit ? ", implicit" : ""),
            kSecurity);
        if (security == Security::required_except_anonymous)
            std::ranges::replace(one.client_lines, std::string("NOOP"), std::string("USER anonymous"));
        one.policy.security = security;
        one.policy.data_security_required = !is_free;
        one.policy.implicit_tls = is_implicit;
        one.policy.allow_ccc = is_free;
        all.push_back(std::move(one));
    }
}

// All ways to a data connection, and all that may become of a transfer.
void add_data(std::vector<Configuration>& all)
{
    constexpr std::array<std::string_view, 4> kNames{"automatic", "EPSV", "PASV", "active"};
    for (std::size_t mode = 0; mode < kNames.size(); ++mode) {
        all.push_back(front("data " + std::string(kNames.at(mode)), kData));
        all.back().policy.server_data_mode = static_cast<ServerDataMode>(mode);
    }
    for (const unsigned families : {1u, 2u, 3u}) {
        Configuration one = front("data", kData);
        one.policy.server_data_mode = ServerDataMode::automatic;
        one.client_is_ipv6 = (families & 1u) != 0;
        one.server_is_ipv6 = (families & 2u) != 0;
        one.name
            += std::string(one.client_is_ipv6 ? ", client has IPv6" : "") + (one.server_is_ipv6 ? ", server has IPv6" : "");
        all.push_back(std::move(one));
    }
}

Configuration client_side(std::string name, bool is_proxy)
{
    Configuration one = front(std::move(name), kAtClientSide);
    one.policy.secure_leg = SecureLeg::server;
    one.policy.security = Security::optional;
    one.policy.server_words = "The FTP server";
    one.policy.passes_greeting = !is_proxy;
    if (is_proxy)
        one.client_lines.push_back("USER anna@elsewhere");
    return one;
}

// What a raw ftpd may do beside answering each command once.
void add_habits(std::vector<Configuration>& all)
{
    const Lines lines{"AUTH TLS-P", "USER anna", "PASS secret", "MKD (|||35079|)", "EPSV", "RETR a", "ABOR", "QUIT"};
    for (const bool is_late : {false, true}) {
        const std::string name = is_late ? "repeats late" : "answers twice";
        Configuration one = front(name, lines);
        one.habit = is_late ? Habit::repeats_late : Habit::answers_twice;
        one.policy.server_data_mode = is_late ? ServerDataMode::epsv : ServerDataMode::automatic;
        all.push_back(one);
        one.name += ", clear";
        one.policy.security = Security::optional;
        one.policy.data_security_required = false;
        one.client_lines.erase(one.client_lines.begin());
        all.push_back(one);
        Configuration other = client_side(name + ", client side", false);
        other.habit = one.habit;
        other.client_lines = {"AUTH TLS", "USER anna", "PASS secret", "MKD (|||35079|)", "EPSV", "RETR a", "ABOR"};
        all.push_back(std::move(other));
    }
    all.push_back(front("long replies",
        {"AUTH TLS-P", "USER anna", "PASS secret", "FEAT", "NOOP", "EPSV", "RETR a", "STOR b", "ABOR", "QUIT"}));
    all.back().has_long_replies = true;
}

} // namespace

std::vector<Configuration> configurations()
{
    std::vector<Configuration> all;
    all.push_back(front("limits",
        {"AUTH TLS", "USER anna", "PASS secret", "NOOP", "\x01", "GET / HTTP/1.1", "EPSV ALL", "PASV", "EPSV", "MKD a\rQUIT",
            kLongLine}));
    all.back().policy.bad_commands = 3;
    all.back().has_drain = true;
    all.push_back(front("many waiting", {"USER anna", "EPSV", "RETR a", "NOOP", "ABOR"}));
    all.back().policy.security = Security::optional;
    all.back().policy.waiting_commands = 1;
    all.back().most_unanswered = all.back().most_unanswered_idle = 6;
    add_securities(all);
    add_data(all);
    all.push_back(front("drain", kData));
    all.back().has_drain = true;
    all.push_back(client_side("client side", false));
    all.push_back(client_side("client side, proxy", true));
    add_habits(all);
    all.push_back(front("everything",
        with(kSecurity,
            {"FEAT", "TYPE I", "REIN", "ACCT x", "HOST example.org", "PASV", "EPRT |1|192.0.2.9|50003|", "PORT 10,0,0,1,200,1",
                "STOR b", "ABOR", "STAT", kLongLine})));
    return all;
}

std::string policy_words(const Configuration& configuration)
{
    constexpr std::array<std::string_view, 3> kSecurities{"required", "except_anonymous", "optional"};
    constexpr std::array<std::string_view, 4> kModes{"automatic", "epsv", "pasv", "active"};
    const ftp::Policy& policy = configuration.policy;
    std::string words = "policy";
    const auto say = [&words](std::string_view name, std::string_view value) { ((((words += " ") += name) += "=") += value); };
    if (policy.secure_leg == SecureLeg::server)
        say("leg", "server");
    else
        say("security", kSecurities.at(static_cast<std::size_t>(policy.security)));
    if (!policy.data_security_required)
        say("data", "optional");
    if (policy.implicit_tls)
        say("implicit", "yes");
    if (policy.allow_ccc)
        say("ccc", "yes");
    if (!policy.passes_greeting)
        say("greets", "no");
    say("mode", kModes.at(static_cast<std::size_t>(policy.server_data_mode)));
    say("waiting", std::to_string(policy.waiting_commands));
    say("server_line", std::to_string(policy.server_line_bytes));
    say("login_failures", std::to_string(policy.login_failures));
    say("bad_commands", std::to_string(policy.bad_commands));
    return words;
}

} // namespace safetp::explore
