// `safetpd setup`: shows what is to be changed, changes it, and puts it back.
#pragma once

#include "setup/plan.h"

#include <string>

namespace safetp::setup {

struct SetupOptions {
    Backend backend = Backend::started;
    std::string ftpd;
    std::string config;
    std::string root;
    bool apply = false;
    bool undo = false;
    bool force = false; ///< with undo: also over later changes, which are kept
};

enum class SetupOutcome { done, failed, bad_config, no_permission };

SetupOutcome set_up(const SetupOptions& options);

} // namespace safetp::setup
