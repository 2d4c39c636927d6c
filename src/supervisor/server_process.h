// Starts the raw ftpd for one session, as inetd(8) starts a "stream tcp nowait" service.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"
#include "process/identity.h"
#include "supervisor/replay.h"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::supervisor {

/// Everything the child needs, worked out when the configuration is read: nothing is looked up between fork and exec.
struct ServerProgram {
    std::vector<std::string> arguments; ///< argv; [0] is what the program is told it is called
    std::string path;
    std::string directory;
    std::vector<std::string> environment; ///< PATH, TZ if we have it, and USER, LOGNAME, HOME, SHELL of who runs it
    std::optional<process::Identity> identity;     ///< whom to become; none: stay who we are
    unsigned umask = 022;
    int nice = 0;                         ///< added to ours

    /// What an access rule's options want of it. A variable takes the place of one that is there.
    void take(const ServerEffects& effects);

    /// bad_config: no such user, or another user wanted while not root.
    static Result<ServerProgram> plan(const config::Server& server);
};

struct StartedServer {
    pid_t pid = -1;     ///< a child of the caller, who reaps it
    UniqueFd our_end;   ///< connected loopback TCP socket, non-blocking, close-on-exec
};

/// The connection that `peer` has made; others, which anybody on this host may make as well, are closed.
Result<UniqueFd> accept_from(int listener, const Endpoint& peer);

/// Descriptors 0, 1 and 2 of the program are the other end of the connection, everything else is closed. Returns when the
/// program has been executed, or with the errno that stopped it.
Result<StartedServer> start_server(const ServerProgram& program);

} // namespace safetp::supervisor
