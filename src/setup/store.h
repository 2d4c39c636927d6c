// Changes files whole or not at all, keeps what they were, and puts it back byte for byte, also after a crash half way.
//
// Order of an apply: what is to be replaced is copied below kStateDirectory, then a manifest with the hashes of before and
// after is made durable, and only then is the first file replaced. So whoever finds a manifest can undo, however far it got.
#pragma once

#include "base/result.h"
#include "setup/root.h"

#include <optional>
#include <string>
#include <vector>

namespace safetp::setup {

inline constexpr const char* kStateDirectory = "/var/lib/safetp/setup";

/// What one file is to become.
struct Change {
    std::string path;                  ///< within the root
    std::optional<std::string> before; ///< none: there is no such file
    std::string after;

    bool is_needed() const { return before != after; }
    bool operator==(const Change&) const = default;
};

/// Reads the file of a change that is to be planned: bad_file where it cannot be changed safely (no regular file, several hard
/// links, a link that leads nowhere).
Result<std::optional<std::string>> read_for_change(const Root& root, const std::string& path);

/// Makes all changes, in this order, or none: where one fails, those before it are taken back. Fails when a file is no longer
/// as `before` says. Mode, owner and extended attributes stay; new files get mode 0644 and root.
/// `commands_after_undo`: what undo_changes is to give back, for the administrator to run then.
Result<void> apply_changes(
    const Root& root, const std::vector<Change>& changes, const std::vector<std::string>& commands_after_undo = {});

struct Undone {
    std::vector<std::string> restored; ///< paths put back
    std::vector<std::string> removed;  ///< that were new
    std::vector<std::string> commands; ///< to be run now, in this order
    std::vector<std::string> kept;     ///< --force: where versions that were changed since have been kept
    bool is_nothing() const { return restored.empty() && removed.empty(); }
};

/// Takes back every apply, the last one first, each in the reverse order. Unless `force`: refuses, before anything is touched,
/// when a file is neither as it was left nor as it was before.
Result<Undone> undo_changes(const Root& root, bool force);

/// Whether there is something to undo.
bool has_manifest(const Root& root);

} // namespace safetp::setup
