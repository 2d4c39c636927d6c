// The system calls that a process of ours needs, and nothing else (seccomp).
#pragma once

#include "base/result.h"

namespace safetp::process {

enum class SystemCalls {
    worker, ///< sessions; also for helpers that only compute
};

/// From here on this process can neither open files, nor start programs, nor make other sockets than TCP. Calls outside the
/// list fail with EPERM; those that only an intruder would make kill the process. Does nothing in builds with sanitizers, which
/// need far more calls than the program itself.
Result<void> enter_sandbox(SystemCalls calls);

} // namespace safetp::process
