// Runs searches side by side and says what came of them.
#pragma once

#include "search.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::explore {

struct Options {
    unsigned jobs = 2;
    std::string only;  ///< names of configurations begin so
    std::string graph; ///< file to write
};

/// A table on standard output, and a script for each finding. True: nothing was found.
bool explore_all(const Options& options);

/// In the configurations whose name begins with `name`, one after the other.
std::optional<Violation> first_finding(std::string_view name);

/// Calls `task` with 0 to `count` - 1, in `jobs` threads. It must not throw.
void run_side_by_side(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& task);

} // namespace safetp::explore
