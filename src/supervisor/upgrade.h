// Replacing the running program by a new one without losing a connection (SIGUSR2): the new process inherits the listening
// sockets, the old one hands over as soon as the new one serves, and ends with its last session.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::supervisor {

/// The file that this process was started from, absolute: after a package's upgrade the new program lies there. Ask for it at
/// the start, since /proc/self/exe names a file that is gone later on.
std::string program_file();

/// The new process, from its start until it serves or has failed.
class Successor {
public:
    /// Starts `program` with this process's own arguments and environment; `sockets` (borrowed) become its inherited sockets as
    /// in sd_listen_fds(3), and it goes on with the memory `counters` (borrowed). Errors: system_call.
    static Result<Successor> start(const std::string& program, const std::vector<int>& sockets, int counters);

    enum class State { starting, serves, failed };
    State look();                                   ///< does not block
    int ready_fd() const { return ready_.get(); }   ///< readable when look() has something new
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    UniqueFd ready_;
};

/// Did another safetpd start this process to take its place?
bool is_successor();

/// In the new process: where to write one byte when we serve, so that the old one hands over. None: nobody waits for that.
UniqueFd take_predecessor();

/// In the new process: the memory of SharedCounters in which the old one's workers count. None: it has given none.
UniqueFd take_counters();

} // namespace safetp::supervisor
