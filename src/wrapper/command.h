// Runs what spawn, aclexec and twist say: /bin/sh -c. hosts_options(5), "RUNNING OTHER COMMANDS".
#pragma once

#include <string>

namespace safetp::wrapper {

enum class CommandStreams {
    null_device, ///< descriptors 0 to 2 are /dev/null
    inherited,   ///< they are the connection, as libwrap has it for aclexec
};

struct CommandEnd {
    int exit_status = 127; ///< 127: it could not be started; 0 where a signal ended it
    int killed_by = 0;     ///< the signal, or 0
    int process_id = 0;
};

/// Waits for its end, and for no other child. The command ignores hang-ups, so that what it leaves in the background survives
/// it.
CommandEnd run_command(const std::string& command, CommandStreams streams);

/// Puts the command in the place of this process, with `connection` as its descriptors 0 to 2. Returns only where that failed:
/// the errno.
int become_command(const std::string& command, int connection);

} // namespace safetp::wrapper
