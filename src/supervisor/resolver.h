// The supervisor's side of the process that looks names up: there is none until a worker asks, and a new one when it died.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/plan.h"
#include "process/identity.h"
#include "supervisor/resolver_process.h"

#include <chrono>
#include <sys/types.h>

namespace safetp::supervisor {

class Resolver {
public:
    Resolver() = default;
    Resolver(const Resolver&) = delete;
    ~Resolver() { stop(); }

    /// The one that runs goes on with the old settings for nobody: it is ended.
    void configure(const config::Access& config, const process::IdentityChange& identity);

    /// A worker's end of a new line. EAGAIN: it keeps dying, the next is started in a while.
    Result<UniqueFd> open_line();

    bool on_child_end(pid_t pid, int status); ///< false: not ours

private:
    Result<void> pass_line(const UniqueFd& line);
    Result<void> start();
    void stop();

    ResolverSettings settings_;
    process::IdentityChange identity_;
    pid_t pid_ = -1;
    UniqueFd control_;
    RespawnDelay delay_;
    std::chrono::steady_clock::time_point started_{};
    std::chrono::steady_clock::time_point not_before_{};
};

} // namespace safetp::supervisor
