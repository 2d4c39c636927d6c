// What `safetpd setup` is to change on a machine. Reads the root's files, changes nothing.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"
#include "setup/root.h"
#include "setup/store.h"

#include <string>
#include <vector>

namespace safetp::setup {

enum class Backend {
    started, ///< safetpd starts the raw ftpd for each session: no port, no way round. Recommended
    inetd,   ///< on port 351 (raw-ftp) through a wrapper, as SafeTP did it from the start
    systemd, ///< a socket unit on loopback
};

struct PlanOptions {
    Backend backend = Backend::started;
    std::string ftpd;                 ///< path; empty: the one found
    std::string config;               ///< safetpd.toml within the root; empty: the usual one
    std::vector<IpAddress> addresses; ///< of this machine, for the access tables
};

struct Plan {
    std::vector<Change> changes;       ///< each path once; also those that turned out to need none
    std::vector<std::string> commands; ///< to be run afterwards, in this order
    std::vector<std::string> undo_commands; ///< to be run after an undo, in this order
    std::vector<std::string> remarks;  ///< for people: what was chosen and why
    bool changes_inetd = false;        ///< inetd has to read its files again
    std::string inetd_reload;          ///< the command for that, among the others

    bool is_needed() const;
};

/// bad_file, bad_config: what cannot be planned, and what to do.
Result<Plan> make_plan(const Root& root, const PlanOptions& options);

} // namespace safetp::setup
