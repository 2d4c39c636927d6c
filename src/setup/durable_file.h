// Single files on the disk: replaced in one step and made durable. All paths are real ones of Root::resolve().
#pragma once

#include "base/result.h"
#include "setup/root.h"

#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

/// Replaces `path` by a file with this content: a temporary file beside it, fsync, rename, fsync of the directory.
/// Mode, owner and extended attributes are those of `pattern`, its times too with keep_times; empty: 0644 and whoever we are.
/// bad_file: nothing was changed.
Result<void> write_durably(const Root& root, const std::string& path, std::string_view content, const std::string& pattern,
    bool keep_times = false);

/// Removes what a crash may have left of the functions here in a directory. Only while nobody else writes there.
void sweep_temporary_files(const Root& root, const std::string& directory);

Result<void> remove_durably(const Root& root, const std::string& path); ///< no error where it is gone already

/// Makes a directory with those above it.
Result<void> make_directories(const Root& root, const std::string& path, unsigned mode);

bool remove_if_empty(const Root& root, const std::string& directory); ///< false: it is not empty, or none

inline constexpr const char* kMadeFile = "made"; ///< in directories that are to be taken away again: says which those are

/// Makes `directories`, all of them missing, outermost first and each in the one before it, and kMadeFile in the innermost, in
/// one step: a crash leaves all or nothing, but for what sweep_temporary_files finds beside the outermost. The innermost
/// `private_ones` get mode 0700, the others 0755.
Result<void> make_directories_at_once(
    const Root& root, const std::vector<std::string>& directories, std::size_t private_ones, std::string_view made);

/// Takes them away in the same way, where nothing but kMadeFile is in them; else they stay as they are.
void remove_directories_at_once(const Root& root, const std::vector<std::string>& directories);

} // namespace safetp::setup
