// Identities, and what a worker gives up before it reads its first byte.
#pragma once

#include "base/result.h"
#include "config/config.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::supervisor {

/// A user of passwd(5), looked up before the fork so that no child needs name services.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups; ///< all of them, as initgroups(3) would set
    std::string name;
    std::string home;
    std::string shell;
};

Result<Identity> find_user(const std::string& name); ///< bad_config when there is no such user
Result<Identity> find_user(uid_t uid);

/// Takes the identity for good; call as root. Checks that there is no way back.
Result<void> become(const Identity& identity);

/// The workers' empty root: made with its parents if missing. Refuses one that is not empty, not root's, or writable by others.
Result<void> prepare_empty_root(const std::string& path);

/// What drop_privileges needs, found and made before the fork. As an ordinary user: nothing to change.
struct WorkerIdentity {
    bool is_changed = false; ///< started as root
    Identity user;
    std::string root;        ///< chroot; empty: none
};
Result<WorkerIdentity> plan_worker_identity(const config::Process& process);

/// In the worker: descriptors and core limits, chroot, identity, no capabilities, no new privileges, not traceable, and ended
/// by the kernel when the supervisor (`supervisor_pid`) ends.
Result<void> drop_privileges(const WorkerIdentity& identity, unsigned max_sessions, pid_t supervisor_pid);

} // namespace safetp::supervisor
