// From a checked configuration to everything that is open and looked up: what workers are then forked from.
#pragma once

#include "supervisor/announced_names.h"
#include "supervisor/generation.h"
#include "process/landlock.h"
#include "supervisor/server_process.h"

#include <expected>

namespace safetp::supervisor {

struct Prepared {
    std::unique_ptr<const Generation> generation;
    AnnouncedNames announced_names; ///< of announced_hosts(); what is known now, unlike all the rest
    process::IdentityChange identity;
    UniqueFd landlock; ///< the workers' ruleset; -1: none
    std::optional<ServerProgram> server_program; ///< where the raw ftpd is started per session
    ListenerSet listeners;
    UniqueFd xferlog;

    const config::Config& config() const { return generation->config; }
};

/// Why not, as a sentence that says what to do, and with which code to exit if this was the start.
struct Failure {
    int exit_code;
    std::string text;
};

enum class Listening { yes, no }; ///< no: under -s

/// Changes nothing of `previous` (null at the start), whose sockets the result shares where addresses are the same, and whose
/// announced names it keeps where the name service does not answer.
std::expected<Prepared, Failure> prepare(config::Config config, Listening listening, const Prepared* previous,
    InheritedSockets inherited);

/// Where a worker connects to: the raw ftpd, ident servers where access tables may ask them, and data ports.
process::PortRanges ports_of_workers(const config::Config& config);

Result<UniqueFd> open_xferlog(const std::string& path); ///< -1 when the path is empty

} // namespace safetp::supervisor
