// The exit codes of safetpd, those of sysexits(3).
#pragma once

namespace safetp::supervisor {

constexpr int kExitOk = 0;
constexpr int kExitFailure = 1;          ///< something went wrong at run time
constexpr int kExitUsage = 64;           ///< the command line
constexpr int kExitNoHost = 68;          ///< a host on the command line does not exist
constexpr int kExitPortUnavailable = 69; ///< a port is taken
constexpr int kExitNoAddress = 75;       ///< this machine does not have the address to listen on, perhaps not yet
constexpr int kExitNoPermission = 77;
constexpr int kExitConfig = 78; ///< the configuration, or what it names on this machine

} // namespace safetp::supervisor
