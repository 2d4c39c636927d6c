// A program whose connect(2) calls the kernel hands over to us before it carries them out: seccomp_unotify(2).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <csignal>
#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::client {

struct WatchedCommand {
    pid_t pid = -1;
    UniqueFd calls; ///< for next_connect(); -1: the command could not be started, and the child has said why
};

/// Starts `words` (found in PATH, as execvp(3)) in our process group with `mask` as its signal mask; it and all its descendants
/// are watched. A child that cannot be started ends with 126 or 127 as env(1) does, or 1 if the kernel does not allow watching.
/// Call it before there are threads. system_call.
Result<WatchedCommand> start_watched(const std::vector<std::string>& words, const sigset_t& mask);

} // namespace safetp::client
