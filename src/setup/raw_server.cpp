#include "setup/raw_server.h"

#include "setup/systemd_units.h"
#include "setup/text.h"

#include <fmt/format.h>
#include <optional>

namespace safetp::setup {

namespace {

/// What an installed server needs to serve one session on its standard input.
std::vector<std::string> usual_arguments(FtpdKind kind)
{
    if (kind == FtpdKind::vsftpd)
        return {"/etc/vsftpd.conf"};
    if (kind == FtpdKind::proftpd)
        return {"-c", "/etc/proftpd/proftpd.conf"};
    return kind == FtpdKind::inetutils ? std::vector<std::string>{"-l"} : std::vector<std::string>{};
}

RawServer from_installed(const Root& root, std::string program, std::string origin)
{
    const FtpdKind kind = recognise_ftpd(program);
    // Debian's wrapper reads pure-ftpd's configuration files, which the program itself does not.
    if (kind == FtpdKind::pure_ftpd && root.is_program("/usr/sbin/pure-ftpd-wrapper"))
        program = "/usr/sbin/pure-ftpd-wrapper";
    return {.kind = kind,
        .program = std::move(program),
        .arguments = usual_arguments(kind),
        .argv0 = "",
        .user = "root",
        .origin = std::move(origin)};
}

RawServer from_line(const InetdLine& line, const std::string& file)
{
    const Target target = find_target(line.program, line.arguments);
    RawServer server{.kind = recognise_ftpd(target.program),
        .program = target.program,
        .arguments = {target.arguments.begin() + 1, target.arguments.end()},
        .argv0 = "",
        .user = line.user.substr(0, line.user.find_first_of(".:")),
        .origin = fmt::format("from {}:{}", file, line.number)};
    if (base_name(target.arguments.front()) != base_name(target.program))
        server.argv0 = target.arguments.front();
    return server;
}

/// What our own socket unit starts, from an earlier setup; specifiers and variables were doubled there.
std::optional<RawServer> from_our_unit(const Root& root)
{
    Unit unit{.name = "raw-ftp@.service", .file = "/etc/systemd/system/raw-ftp@.service"};
    const auto text = root.read(unit.file);
    if (!text || !*text)
        return std::nullopt;
    unit.settings = parse_unit(**text, unit.file);
    ExecCommand command = parse_exec(unit.last_value("Service", "ExecStart"));
    for (std::string& word : command.arguments) {
        for (const char* twice : {"%%", "$$"}) {
            for (std::size_t at = word.find(twice); at != std::string::npos; at = word.find(twice, at + 1))
                word.erase(at, 1);
        }
    }
    if (command.program.empty() || command.arguments.empty())
        return std::nullopt;
    const std::string user = unit.last_value("Service", "User");
    const bool has_argv0 = command.arguments.front() != command.program;
    return RawServer{.kind = recognise_ftpd(command.program),
        .program = command.program,
        .arguments = {command.arguments.begin() + 1, command.arguments.end()},
        .argv0 = has_argv0 ? command.arguments.front() : std::string(),
        .user = user.empty() ? "root" : user,
        .origin = "from " + unit.file};
}

RawServer from_standalone(const Root& root, const Opening& opening)
{
    RawServer server = from_installed(root, opening.program, "started by " + opening.unit);
    const std::string file = config_file_of(opening.kind, opening.arguments);
    if (opening.kind == FtpdKind::vsftpd)
        server.arguments = {file};
    else if (opening.kind == FtpdKind::proftpd)
        server.arguments = {"-c", file};
    return server;
}

} // namespace

std::string RawServer::daemon() const { return argv0.empty() ? std::string(base_name(program)) : argv0; }

std::vector<std::string> RawServer::command() const
{
    std::vector<std::string> all{program};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
}

Result<RawServer> find_raw_server(
    const Root& root, const std::string& wanted, const config::Config& config, const std::vector<Opening>& openings)
{
    const config::Server& configured = config.server;
    const bool is_configured = !configured.command.empty() && (wanted.empty() || wanted == configured.command.front());
    if (is_configured)
        return RawServer{.kind = recognise_ftpd(configured.command.front()),
            .program = configured.command.front(),
            .arguments = {configured.command.begin() + 1, configured.command.end()},
            .argv0 = configured.argv0,
            .user = configured.user.empty() ? "root" : configured.user,
            .origin = "from [server] command"};
    if (!wanted.empty() && (!wanted.starts_with('/') || !root.is_program(wanted)))
        return fail(
            ErrorCode::bad_file, 0, fmt::format("--ftpd {} is no program of this machine (give its whole path)", wanted));
    const auto is_wanted = [&](const Opening& opening) { return wanted.empty() || opening.program == wanted; };
    if (const auto ours = from_our_unit(root); ours && (wanted.empty() || wanted == ours->program))
        return *ours;
    for (const Opening& opening : openings) {
        const auto lines = opening.source == Source::inetd ? parse_inetd_conf(opening.text) : std::vector<InetdLine>{};
        if (!lines.empty() && is_wanted(opening)) {
            RawServer server = from_line(lines.front(), opening.file);
            server.origin = fmt::format("from {}:{}", opening.file, opening.line);
            return server;
        }
    }
    for (const Opening& opening : openings) {
        if (opening.source == Source::standalone && is_wanted(opening))
            return from_standalone(root, opening);
    }
    if (!wanted.empty())
        return from_installed(root, wanted, "as --ftpd says");
    for (const char* program :
        {"/usr/sbin/vsftpd", "/usr/sbin/proftpd", "/usr/sbin/pure-ftpd", "/usr/sbin/in.ftpd", "/usr/sbin/ftpd"}) {
        if (root.is_program(program))
            return from_installed(root, program, "installed");
    }
    return fail(ErrorCode::bad_file, 0,
        "no FTP server was found; install one, as in: apt-get install vsftpd; or name it: --ftpd /path/of/ftpd");
}

} // namespace safetp::setup
