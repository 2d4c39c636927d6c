// One file as it stands on the disk: its text, whether it has changed since, and whether somebody is just writing it. Blocks
// for as long as the disk does.
#pragma once

#include "access/tables.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace safetp::wrapper {

inline constexpr std::size_t kMaxFileBytes = 256u << 20; ///< a larger file is unreadable (EFBIG)

/// What tells one state of a path from another. stat(2), links followed: a link that turns to another file is a change too.
struct FileMark {
    int os_error = 0;                        ///< errno where the path could not be looked at: ENOENT while it is missing
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;            ///< since the epoch
    std::int64_t changed_ns = 0;             ///< ctime: also mode, owner, links
    bool is_young = false;                   ///< changed so shortly before the look that one more change may bear the same time

    /// Everything but is_young, which says when somebody looked.
    bool operator==(const FileMark& other) const;
};

/// Path to mark, of every file that was read or found missing.
using Fingerprint = std::map<std::string, FileMark>;

FileMark mark_of(const std::string& path);

/// Costs one stat(2) for each path. Also true, once more, after a file that was young when it was read.
bool has_changed(const Fingerprint& fingerprint);

/// Whether anybody has a file open for writing (or mapped so): then what was read may be half of what is meant.
enum class Writers {
    none,
    some,
    cannot_tell, ///< no leases here: a file system without them, or neither owner nor CAP_LEASE. fcntl(2), F_SETLEASE
};
Writers writers_of(const std::string& path); ///< none where there is nothing to read. Never waits

/// One file as it is found: missing for ENOENT only (a dangling link too); unreadable for every other failure, and for what is
/// neither a file nor a directory nor /dev/null (EINVAL).
access::FileText read_file(const std::string& path);

} // namespace safetp::wrapper
