// Identities, and what a process of ours gives up before it reads what strangers wrote.
#pragma once

#include "base/result.h"

#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace safetp::process {

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

/// What drop_privileges needs, found and made beforehand.
struct IdentityChange {
    bool is_changed = false; ///< started as root
    Identity user;
    std::string root;        ///< chroot; empty: none
};

/// For good: no core dumps, at least `descriptors` descriptors, chroot, identity, no capabilities, no new privileges, not
/// traceable, and ended by the kernel when the process `parent`, which must be this one's, ends.
Result<void> drop_privileges(const IdentityChange& change, rlim_t descriptors, pid_t parent);

} // namespace safetp::process
