// Comes to a worker's decision again from the same tables and the facts that the worker names, in a child process: what is then
// run, or given to the raw ftpd, is what the administrator wrote, whatever the worker may have become meanwhile.
#pragma once

#include "access/evaluation.h"
#include "base/result.h"
#include "process/child.h"
#include "supervisor/protocol.h"

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace safetp::supervisor {

/// What a granting rule's options want of the raw ftpd that is started for the session. hosts_options(5).
struct ServerEffects {
    std::vector<std::pair<std::string, std::string>> environment; ///< in the rule's order
    std::optional<unsigned> umask;
    int nice = 0;
    bool operator==(const ServerEffects&) const = default;
};

struct Replayed {
    std::optional<std::string> command;      ///< the spawn or aclexec behind the last of the facts' answers
    std::optional<access::Verdict> verdict;  ///< where no further command came
    ServerEffects effects;
};

/// Pure. access: `image` holds no tables.
Result<Replayed> replay(std::span<const std::byte> image, const Facts& facts);

/// The same with the tables in the descriptor.
Result<Replayed> replay_from(int image, const Facts& facts);

inline constexpr const char* kServerEffectsRole = "server effects";
int server_effects_main(process::Helper& helper);

/// In a confined helper, waited for (two seconds at most; it takes milliseconds). supervisor: the facts lead to no grant, or to
/// variables that no rule may set (LD_...: they would run other code as whoever runs the raw ftpd).
Result<ServerEffects> find_server_effects(int image, const Facts& facts, const process::IdentityChange& identity);

} // namespace safetp::supervisor
