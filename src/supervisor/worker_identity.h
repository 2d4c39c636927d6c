// Whom the workers become, found and made before any of them is forked.
#pragma once

#include "config/config.h"
#include "process/identity.h"

#include <string>

namespace safetp::supervisor {

/// The workers' empty root: made with its parents if missing. Refuses one that is not empty, not root's, or writable by others.
Result<void> prepare_empty_root(const std::string& path);

/// As an ordinary user: nothing to change. Errors: bad_config, bad_file.
Result<process::IdentityChange> plan_worker_identity(const config::Process& settings);

} // namespace safetp::supervisor
