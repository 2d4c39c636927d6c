// A doctor's findings as text for people and as JSON for programs. Pure.
#pragma once

#include "setup/findings.h"

#include <string>
#include <vector>

namespace safetp::setup {

std::string report_text(const Situation& situation, const std::vector<Finding>& findings);

/// One object: ways (a number), addresses, findings, attempts.
std::string report_json(const Situation& situation, const std::vector<Finding>& findings);

} // namespace safetp::setup
