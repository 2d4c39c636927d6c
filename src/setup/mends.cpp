#include "setup/mends.h"

#include "setup/rewrite.h"
#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::setup {

namespace {

constexpr const char* kServerSection = "/etc/safetp/safetpd.toml, in [server]";

/// Where the raw ftpd goes: its own port, unless that is the front door's, which on all addresses would be in its way.
std::uint16_t raw_port_for(const Situation& situation, const Opening& opening)
{
    const bool is_taken = std::ranges::find(situation.door_ports, opening.port) != situation.door_ports.end();
    return is_taken ? kRawPort : opening.port;
}

Mend loopback_server(std::uint16_t port)
{
    return {kServerSection, {"address = \"127.0.0.1\"", fmt::format("port = {}", port)}};
}

void append(std::vector<Mend>& mends, std::vector<Mend> more)
{
    for (Mend& mend : more)
        mends.push_back(std::move(mend));
}

std::vector<Mend> mend_inetd(const Situation& situation, const Opening& opening, LetIn let_in)
{
    std::vector<Mend> mends;
    const auto lines = parse_inetd_conf(opening.text);
    if (lines.empty())
        return mends;
    const InetdLine raw = as_raw(lines.front(), situation.wrapper);
    const bool is_moved = raw.service != lines.front().service;
    if (raw.program != lines.front().program || is_moved)
        mends.push_back({fmt::format("{}, instead of line {}", opening.file, opening.line), {to_text(raw)}});
    if (is_moved)
        mends.push_back({"/etc/services, unless it is there", {"raw-ftp\t\t351/tcp"}});
    append(mends, mend_tables(situation, find_target(raw.program, raw.arguments).daemon, let_in));
    if (raw.program != lines.front().program || is_moved)
        mends.push_back({"run", {situation.inetd_reload}});
    return mends;
}

std::vector<Mend> mend_systemd_socket(const Situation& situation, const Opening& opening)
{
    const std::uint16_t port = raw_port_for(situation, opening);
    return {{fmt::format("/etc/systemd/system/{}.d/safetp.conf", opening.unit),
                {"[Socket]", "ListenStream=", fmt::format("ListenStream=127.0.0.1:{}", port)}},
        loopback_server(port), {"run", {"systemctl daemon-reload", fmt::format("systemctl restart {}", opening.unit)}}};
}

/// xinetd wants "type = UNLISTED" where the port is not the one that services(5) gives the service.
std::vector<Mend> mend_xinetd(const Situation& situation, const Opening& opening)
{
    const std::uint16_t port = raw_port_for(situation, opening);
    std::vector<std::string> lines{"\tbind = 127.0.0.1"};
    if (port != opening.port) {
        lines.push_back(fmt::format("\tport = {}", port));
        lines.emplace_back("\ttype = UNLISTED");
    }
    return {{fmt::format("{}, in the block of line {}", opening.file, opening.line), lines}, loopback_server(port),
        {"run", {situation.xinetd_reload}}};
}

/// An ftpd that listens by itself need not: the gateway starts it for each session.
std::vector<Mend> mend_standalone(const Opening& opening)
{
    std::vector<Mend> mends;
    std::string file = opening.file;
    if (file.empty()) // only its socket is known
        file = opening.kind == FtpdKind::pure_ftpd ? "/etc/default/pure-ftpd-common"
                                                   : config_file_of(opening.kind, opening.arguments);
    const std::string place = opening.line == 0 ? file : fmt::format("{}, instead of line {}", file, opening.line);
    switch (opening.kind) {
    case FtpdKind::vsftpd: mends.push_back({file, {"listen=NO", "listen_ipv6=NO"}}); break;
    case FtpdKind::proftpd: mends.push_back({place, {"ServerType inetd"}}); break;
    case FtpdKind::pure_ftpd: mends.push_back({place, {"STANDALONE_OR_INETD=inetd"}}); break;
    default: break;
    }
    std::vector<std::string> command{opening.program};
    if (const std::string named = config_file_of(opening.kind, opening.arguments); !named.empty()) {
        if (opening.kind == FtpdKind::proftpd)
            command.emplace_back("-c");
        command.push_back(named);
    }
    mends.push_back({kServerSection, {"command = " + toml_list(command), "user = \"root\""}});
    std::vector<std::string> commands;
    if (!opening.unit.empty())
        commands = {"systemctl stop " + opening.unit, "systemctl disable " + opening.unit}; // see Planner::disable_unit
    else
        commands.push_back(fmt::format("ss -ltnp 'sport = :{}'    # shows the process: end it", opening.port));
    commands.emplace_back("systemctl reload safetpd.service");
    mends.push_back({"run", commands});
    return mends;
}

std::vector<Mend> mend_socket(const Situation& situation, const Opening& opening)
{
    if (opening.asks == Asks::unknown) // a super-server that has not read its file again
        return {{"run", {situation.inetd_reload}}};
    if (opening.kind == FtpdKind::vsftpd || opening.kind == FtpdKind::proftpd || opening.kind == FtpdKind::pure_ftpd)
        return mend_standalone(opening);
    return {{"run",
        {fmt::format(
            "ss -ltnp 'sport = :{}'    # shows whose it is; end it, or let it listen on 127.0.0.1 only", opening.port)}}};
}

} // namespace

std::vector<Mend> mend_tables(const Situation& situation, const std::string& daemon, LetIn let_in)
{
    if (!is_daemon_name(daemon))
        return {{"inetd.conf or the unit",
            {fmt::format("# no rule can name the daemon '{}': give it another name as argv[0]", printable(daemon))}}};
    std::vector<std::string> allow = allow_rules(daemon, situation.addresses);
    if (let_in == LetIn::by_an_allow_rule) // which would win over hosts.deny
        allow.push_back(daemon + " : ALL : deny");
    return {
        {"/etc/hosts.allow, before all other lines", allow}, {"/etc/hosts.deny, before all other lines", {daemon + " : ALL"}}};
}

std::vector<Mend> mend_address(const IpAddress& address)
{
    return {{kServerSection, {"address = " + toml_text(address.to_string())}}, {"run", {"systemctl reload safetpd.service"}}};
}

std::vector<Mend> mend_server_tls(const Standing& standing)
{
    if (standing.file.empty())
        return {{kServerSection, {"# without -Y 2 or --tls=2 in command"}}};
    const std::string place = fmt::format("{}, instead of line {}", standing.file, standing.line);
    if (standing.file == kPureFtpdTlsFile)
        return {{place, {"1"}}};
    const bool is_proftpd = standing.setting.find('=') == std::string::npos;
    return {{place, {is_proftpd ? "TLSRequired off" : "ssl_enable=NO"}}};
}

std::vector<Mend> mend_way(const Situation& situation, const Opening& opening, LetIn let_in)
{
    switch (opening.source) {
    case Source::inetd: return mend_inetd(situation, opening, let_in);
    case Source::xinetd: return mend_xinetd(situation, opening);
    case Source::systemd_socket: return mend_systemd_socket(situation, opening);
    case Source::standalone: return mend_standalone(opening);
    case Source::socket: break;
    }
    return mend_socket(situation, opening);
}

} // namespace safetp::setup
