// A process named so that another one with the same id later is not taken for it.
#pragma once

#include <cstdint>
#include <sys/types.h>

namespace safetp::supervisor {

/// The process id and, below it, the low half of its start time (proc(5), /proc/PID/stat, field 22; 0 where it cannot be read).
using ProcessIdentity = std::uint64_t;

ProcessIdentity own_identity();
pid_t process_id(ProcessIdentity identity);
bool is_alive(ProcessIdentity identity); ///< a zombie is: whoever waits for it has not been told

} // namespace safetp::supervisor
