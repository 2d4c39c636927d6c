// Reads hosts.allow, hosts.deny and every file that their rules name from disk, and tells later whether any of them has
// changed. hosts_access(5), "FILES". Blocks for as long as the disk does.
#pragma once

#include "access/tables.h"
#include "wrapper/disk_file.h"

#include <string>
#include <vector>

namespace safetp::wrapper {

/// The files at one moment.
struct Snapshot {
    access::TableFiles files;
    Fingerprint fingerprint;            ///< as the files were before they were read
    std::vector<std::string> unsettled; ///< being written, or changed just now or while they were read: ask again shortly
    std::vector<std::string> unproven;  ///< where Writers cannot be told; only their times say that they rest
};

struct TablePaths {
    std::string allow = "/etc/hosts.allow";
    std::string deny = "/etc/hosts.deny";
};

/// Never fails: what cannot be read is marked as such, and the evaluation decides what that means. `daemons` are those whose
/// banner files are wanted. Pattern files may name others, and themselves.
Snapshot read_tables(const TablePaths& paths, access::Reading reading, const std::vector<std::string>& daemons);

} // namespace safetp::wrapper
