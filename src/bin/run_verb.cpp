#include "bin/run_verb.h"

#include "base/log.h"
#include "bin/connection.h"
#include "client/exit_codes.h"
#include "client/run_service.h"

#include <algorithm>
#include <cerrno>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace safetp::bin {

namespace {

/// Every server that the user has ever told us something of: a key that is noted under a name counts also where a script
/// connects, whose words we do not see.
std::vector<client::ServerName> known_servers(const client::Settings& settings)
{
    std::vector<client::ServerName> servers;
    for (const client::ServerSettings& server : settings.servers)
        servers.push_back(server.name);
    if (const auto known = client::PinStore(settings.pins_file).list()) { // if it cannot be read, each connection says so
        for (const client::Pin& pin : known->pins)
            servers.push_back(pin.server);
    }
    return servers;
}

/// All that is known to be an FTP server's, but those whose clients begin TLS themselves.
std::set<std::uint16_t> possible_ports(
    const RunArguments& arguments, const client::Settings& settings, const std::vector<client::ServerName>& known)
{
    std::set<std::uint16_t> ports = client::ports_in(arguments.command);
    for (const client::ServerName& name : known) {
        if (!settings.for_server(name).implicit_tls.value_or(name.port == client::kImplicitPort))
            ports.insert(name.port);
    }
    ports.insert(client::kFtpPort);
    ports.insert(arguments.ports.begin(), arguments.ports.end());
    return ports;
}

/// The command's standard error is ours: where all is well nothing is said there. Why a server was refused is, because many a
/// program does not show what a server says instead of a greeting.
void set_log(const RunArguments& arguments, log::Options options)
{
    const bool is_quiet = !arguments.is_telling && !arguments.engine.is_verbose;
    if (is_quiet && options.target != log::Target::syslog)
        options.threshold = log::Level::warning;
    log::open(options);
}

Result<client::RunStart> start_command(const RunArguments& arguments, const client::Settings& settings)
{
    auto resources = client::Engine::prepare(settings);
    if (!resources)
        return std::unexpected(resources.error());
    const sigset_t mask = client::block_signals_of_run();
    auto engine_helper = client::start_name_helper();
    auto own_helper = engine_helper ? client::start_name_helper() : std::unexpected(engine_helper.error());
    if (!own_helper)
        return std::unexpected(own_helper.error());
    resources->name_helper = std::move(*engine_helper);
    // Orphans stay our descendants, so that we may look into them where Yama allows that only to ancestors (ptrace(2)).
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "prctl");
    auto command = client::start_watched(arguments.command, mask);
    if (!command)
        return std::unexpected(command.error());
    std::vector<client::ServerName> known = known_servers(settings);
    std::set<std::uint16_t> ports = possible_ports(arguments, settings, known);
    std::set<std::uint16_t> others = client::ports_of_other_services();
    others.insert(arguments.other_ports.begin(), arguments.other_ports.end());
    return client::RunStart{settings, std::move(*resources), std::move(*own_helper), std::move(*command), std::move(ports),
        std::move(others), {}, arguments.command, std::move(known)};
}

/// Of a child that has told the user already why there is no command.
int exit_code_of_child(pid_t pid)
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : client::kExitFailure;
}

} // namespace

int run_run(const RunArguments& arguments)
{
    if (arguments.command.empty() || arguments.command.front().empty())
        return complain(client::kExitUsage, "run: no command; it stands behind --, as in safetp run -- ftp ftp.example.com");
    std::string host;
    if (!arguments.host.empty()) {
        const auto name = client::ServerName::make(arguments.host, client::kFtpPort);
        if (!name)
            return complain(client::kExitUsage, "--host: " + describe(name.error()));
        host = name->host;
    }
    auto settings = make_settings(arguments.engine);
    if (const int* code = std::get_if<int>(&settings))
        return *code;
    const client::Settings& made = std::get<client::Settings>(settings);
    set_log(arguments, made.config.log.options);
    auto start = start_command(arguments, made);
    if (!start)
        return complain(client::kExitFailure, describe(start.error()));
    if (!start->command.calls)
        return exit_code_of_child(start->command.pid);
    start->host = host;
    return client::run_command(std::move(*start));
}

} // namespace safetp::bin
