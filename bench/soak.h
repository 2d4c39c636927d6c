// Many sessions at once that do everything that clients do, broken-off transfers and lost connections included.
#pragma once

#include "ftps_client.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace safetp::bench {

struct SoakPlan {
    std::function<std::unique_ptr<FtpsSession>()> log_in; ///< called by many threads
    std::size_t sessions = 0; ///< held all the time; some are replaced by new ones
    std::chrono::seconds time{};
    std::string small_file; ///< to fetch
    std::string large_file; ///< to break off
    std::string upload; ///< to overwrite
    std::uint64_t upload_size = 0;
};

struct SoakCounts {
    std::uint64_t noops = 0, downloads = 0, uploads = 0, aborts = 0, logins = 0, losses = 0;
};

SoakCounts soak(const SoakPlan& plan); ///< throws std::runtime_error with the first thing that goes wrong

} // namespace safetp::bench
