// Outputs in the unit tests' notation (tests/unit/ftp/dialogue.h).
#pragma once

#include "ftp/actions.h"

#include <string>

namespace safetp::explore {

/// One indented line each: "C< ...", "S< ...", "action ...".
std::string to_script(const ftp::Output& output);

} // namespace safetp::explore
