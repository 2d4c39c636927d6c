#include "supervisor/prepare.h"

#include "base/log.h"
#include "supervisor/exit_codes.h"
#include "supervisor/worker_identity.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits>

namespace safetp::supervisor {

namespace {

Failure listen_failure(const Error& error)
{
    const std::string what = fmt::format("cannot listen on {}: {}", error.context, std::strerror(error.os_error));
    switch (error.os_error) {
    case EADDRINUSE:
        return {kExitPortUnavailable, what + "; another server has this port (ss -ltnp shows which): stop it, or choose another"
                                             " port: -p PORT, serve --port PORT, or port in [[listener]]"};
    case EADDRNOTAVAIL:
        return {kExitNoAddress, what + "; no interface of this machine has this address"};
    case EACCES:
    case EPERM:
        return {kExitNoPermission,
            what + "; ports below 1024 need root or CAP_NET_BIND_SERVICE: choose another, as in -p 2121"};
    default:
        return {kExitFailure, what};
    }
}

Failure other_failure(const Error& error)
{
    const bool is_forbidden = error.os_error == EACCES || error.os_error == EPERM;
    if (is_forbidden)
        return {kExitNoPermission, describe(error)};
    const bool is_config
        = error.code == ErrorCode::bad_config || error.code == ErrorCode::bad_file || error.code == ErrorCode::tls_setup;
    return {is_config ? kExitConfig : kExitFailure, error.code == ErrorCode::bad_config ? error.context : describe(error)};
}

} // namespace

Result<UniqueFd> open_xferlog(const std::string& path)
{
    if (path.empty())
        return UniqueFd();
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
    if (!fd)
        return fail(ErrorCode::bad_file, errno, "[log] xferlog " + path);
    return fd;
}

process::PortRanges ports_of_workers(const config::Config& config)
{
    static constexpr std::uint16_t kIdent = 113;
    static constexpr std::uint16_t kFirstDataPort = 1024; // ftp/host_port.h refuses those below
    process::PortRanges ports;
    if (config.access.enabled)
        ports.emplace_back(kIdent, kIdent);
    if (config.server.command.empty() && config.server.port < kFirstDataPort)
        ports.emplace_back(config.server.port, config.server.port);
    ports.emplace_back(kFirstDataPort, std::numeric_limits<std::uint16_t>::max());
    return ports;
}

std::expected<Prepared, Failure> prepare(config::Config config, Listening listening, const Prepared* previous,
    InheritedSockets inherited)
{
    Prepared prepared;
    auto identity = plan_worker_identity(config.process);
    if (!identity)
        return std::unexpected(other_failure(identity.error()));
    prepared.identity = std::move(*identity);

    auto landlock = process::make_landlock(process::FileAccess::none, ports_of_workers(config));
    if (landlock)
        prepared.landlock = std::move(*landlock);
    else
        log::Event(log::Level::warning, 0, "landlock", "workers do without Landlock: " + describe(landlock.error()));

    if (!config.server.command.empty()) {
        auto program = ServerProgram::plan(config.server);
        if (!program)
            return std::unexpected(other_failure(program.error()));
        prepared.server_program = std::move(*program);
    }

    auto generation = make_generation(std::move(config));
    if (!generation)
        return std::unexpected(other_failure(generation.error()));
    prepared.generation = std::move(*generation);

    prepared.announced_names = resolve_announced(
        announced_hosts(prepared.config()), previous ? previous->announced_names : AnnouncedNames(), prepared.identity);

    auto xferlog = open_xferlog(prepared.config().log.xferlog);
    if (!xferlog)
        return std::unexpected(other_failure(xferlog.error()));
    prepared.xferlog = std::move(*xferlog);

    if (listening == Listening::no)
        return prepared;
    const ListenerSet none;
    auto listeners = ListenerSet::open(prepared.config().listeners, worker_count(prepared.config()),
        previous ? previous->listeners : none, std::move(inherited));
    if (!listeners)
        return std::unexpected(listen_failure(listeners.error()));
    prepared.listeners = std::move(*listeners);
    return prepared;
}

} // namespace safetp::supervisor
