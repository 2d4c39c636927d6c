// What the start tells: to the terminal, and to syslog when there is none (under -s).
#pragma once

#include "config/load.h"
#include "supervisor/prepare.h"

#include <vector>

namespace safetp::supervisor {

/// Each problem on stderr as "safetpd: file:line: error: text".
void report_problems(const std::vector<config::Problem>& problems);

/// Prints the sentence and gives back the exit code.
int report_failure(const Failure& failure);

} // namespace safetp::supervisor
