// The privileged process: loads, checks, opens, forks the workers, and then only waits for signals, ends and requests. It never
// reads a byte that came from the network.
#pragma once

#include "supervisor/prepare.h"

#include <functional>

namespace safetp::supervisor {

struct Options {
    ConfigSource source;
    bool is_inetd = false; ///< -s: descriptor 0 is the one control connection
    std::function<void(const Prepared&)> before_workers{}; ///< all is open, nobody served yet: `safetpd serve` shows its screen
};

/// `safetpd`: returns the exit code (exit_codes.h). Problems before the start go to stderr; later ones to the log.
/// Signals: HUP reload, TERM drain and end, INT and QUIT end at once, USR1 reopen the xferlog.
int supervise(const Options& options);

/// What else is to be checked once the configuration can be read.
using FurtherCheck = std::function<std::vector<config::Problem>(const config::Config&)>;

/// `safetpd check`: lists every problem of the configuration, of this machine and of `further`, on stdout. 0, kExitConfig, or
/// kExitFailure for warnings when strict.
int check(const ConfigSource& source, bool is_strict, const FurtherCheck& further = {});

/// Prints problems as check does. `good` is what is said where there are none that count.
int report_check(const std::vector<config::Problem>& problems, bool is_strict, const std::string& good);

} // namespace safetp::supervisor
