// Single files on the disk: replaced in one step and made durable.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

/// Replaces `path` (no link) by a file with this content: a temporary file beside it, fsync, rename, fsync of the directory.
/// Mode, owner and extended attributes are those of `pattern`, its times too with keep_times; empty: 0644 and whoever we are.
/// bad_file: nothing was changed.
Result<void> write_durably(
    const std::string& path, std::string_view content, const std::string& pattern, bool keep_times = false);

/// Removes what a crash may have left of write_durably in a directory. Only while nobody else writes there.
void sweep_temporary_files(const std::string& directory);

Result<void> remove_durably(const std::string& path); ///< no error where it is gone already

/// Makes a directory with those above it; the new ones, outermost first.
Result<std::vector<std::string>> make_directories(const std::string& path, unsigned mode);

} // namespace safetp::setup
