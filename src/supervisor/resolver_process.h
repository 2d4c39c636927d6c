// The process that looks names up: the name service blocks, and workers must not. Unprivileged, but with the machine's files in
// view, since nsswitch.conf(5) decides who is asked. docs/adr says why it is a process and why it is the C library's resolver.
#pragma once

#include "base/unique_fd.h"
#include "process/child.h"
#include "supervisor/resolver_protocol.h"

#include <chrono>
#include <functional>
#include <string>

namespace safetp::supervisor {

struct ResolverSettings {
    unsigned threads = 64;           ///< lookups at one time; a quarter of them for one network
    std::size_t most_waiting = 1024; ///< beyond it, lookups are answered with "unknown" at once
    std::size_t most_cached = 10'000;
    std::chrono::seconds lookup_time{5};
    std::chrono::seconds cache_time{60};
};

inline constexpr const char* kResolverRole = "resolver";
std::string encode(const ResolverSettings& settings); ///< the helper's order
int resolver_main(process::Helper& helper);

/// Blocks; called by several threads at once. Fills in all but the id.
using LookUp = std::function<void(const LookupRequest& request, LookupAnswer& answer)>;

/// The C library's name service.
void look_up(const LookupRequest& request, LookupAnswer& answer);

/// Serves until `control` is closed. Lines to workers come over it, each as the descriptor of a notice.
void run_resolver(UniqueFd control, const ResolverSettings& settings, const LookUp& look_up);

} // namespace safetp::supervisor
