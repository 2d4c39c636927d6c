// Runs the commands of rules (spawn, aclexec, twist of hosts_options(5)) for workers, which can run nothing themselves.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"
#include "process/child.h"
#include "supervisor/protocol.h"

#include <map>
#include <optional>
#include <sys/types.h>

namespace safetp::supervisor {

inline constexpr const char* kRuleCommandRole = "rule command";
int rule_command_main(process::Helper& helper);

class RuleCommands {
public:
    /// At one time, and as many twists beside them: those last as long as their clients like.
    static constexpr std::ptrdiff_t kMost = 64;

    /// Whom the commands run as; none: whoever started safetpd, where that is not root.
    Result<void> configure(const config::Access& config);

    struct Asker {
        pid_t worker;
        std::uint32_t id;
    };

    /// A helper finds the command by itself (replay.h) and becomes it: /bin/sh -c, PATH and nothing else in its environment.
    /// With `client` (twist) that is its standard input and outputs, else /dev/null. EAGAIN: too many run.
    Result<void> start(const Asker& asker, RequestKind kind, int image, const Facts& facts, UniqueFd client);

    struct Ended {
        std::optional<Asker> asker; ///< none: a twist, for which nobody waits
        int exit_status;            ///< 128 + signal where it was killed
    };
    std::optional<Ended> on_child_end(pid_t pid, int status); ///< empty: not ours

private:
    std::optional<process::Identity> identity_;
    std::map<pid_t, std::optional<Asker>> running_;
};

} // namespace safetp::supervisor
