#include "setup/mends.h"

#include "setup/rewrite.h"
#include "setup/text.h"

#include <fmt/format.h>

namespace safetp::setup {

namespace {

constexpr const char* kServerSection = "/etc/safetp/safetpd.toml, in [server]";
const Mend kLoopbackServer{kServerSection, {"address = \"127.0.0.1\""}};

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

std::vector<Mend> mend_systemd_socket(const Opening& opening)
{
    return {{fmt::format("/etc/systemd/system/{}.d/safetp.conf", opening.unit),
                {"[Socket]", "ListenStream=", fmt::format("ListenStream=127.0.0.1:{}", opening.port)}},
        kLoopbackServer, {"run", {"systemctl daemon-reload", fmt::format("systemctl restart {}", opening.unit)}}};
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
        commands.push_back(fmt::format("systemctl disable --now {}", opening.unit));
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

std::vector<Mend> mend_way(const Situation& situation, const Opening& opening, LetIn let_in)
{
    switch (opening.source) {
    case Source::inetd: return mend_inetd(situation, opening, let_in);
    case Source::xinetd:
        return {{fmt::format("{}, in the block of line {}", opening.file, opening.line), {"\tbind = 127.0.0.1"}},
            kLoopbackServer, {"run", {"kill -HUP \"$(cat /run/xinetd.pid)\""}}};
    case Source::systemd_socket: return mend_systemd_socket(opening);
    case Source::standalone: return mend_standalone(opening);
    case Source::socket: break;
    }
    return mend_socket(situation, opening);
}

} // namespace safetp::setup
