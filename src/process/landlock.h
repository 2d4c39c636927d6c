// The kernel's Landlock (landlock(7)): what a process may reach beside what it has open already. Best effort: older kernels
// know less of it or nothing, and then the rest of the confinement stands alone.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace safetp::process {

enum class FileAccess {
    none,
    reading, ///< everything may be read that could be read before; nothing is written, made or executed
};

/// TCP ports to which connections may be made, first to last.
using PortRanges = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

/// The version of the running kernel's Landlock: 4 knows TCP connections, 6 abstract sockets and signals. 0: there is none.
int landlock_version();

/// What is made once and entered by many processes. None where the kernel has no Landlock. `ports`: none given is any port.
/// Errors: system_call.
Result<UniqueFd> make_landlock(FileAccess files, const std::optional<PortRanges>& ports);

/// From here on, for this process and all that it starts; PR_SET_NO_NEW_PRIVS must be set. Nothing where `ruleset` is -1.
Result<void> enter_landlock(int ruleset);

/// Both, for a helper; what fails is left out, since helpers are confined without it too.
void confine_helper(FileAccess files, const std::optional<PortRanges>& ports);

/// For the log: what workers cannot do on this kernel.
std::string describe_landlock(const PortRanges& ports);

} // namespace safetp::process
