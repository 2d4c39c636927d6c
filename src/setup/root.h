// The files of a machine: of this one, or of a scratch root (--root DIR), where links lead as they would for a process that is
// locked in there. Whoever owns DIR may swap its folders and links at any moment: every file is opened from a descriptor of DIR
// with openat2(2) and RESOLVE_IN_ROOT, so that nothing outside of it is ever reached.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

class Root {
public:
    /// `directory` empty: this machine. Otherwise its path without links. Where it cannot be opened, everything fails.
    explicit Root(std::string directory = {});

    bool is_live() const { return directory_.empty(); }

    /// `path` (absolute within the root) without links, within the root too. The last component need not exist. bad_file: links
    /// that lead in a circle, or a directory on the way that is none.
    Result<std::string> resolve(std::string_view path) const;

    /// `real_path` is one of resolve(): a link that has come into it since is ELOOP. `flags` of open(2), O_CLOEXEC is added.
    Result<UniqueFd> open(std::string_view real_path, int flags, unsigned mode = 0) const;

    /// The directory in which `real_path` is, for openat(2) and its family.
    Result<UniqueFd> open_parent(std::string_view real_path) const;

    /// As people call it who are not within the root.
    std::string on_machine(std::string_view path) const { return directory_ + std::string(path); }

    /// A whole regular file; nothing where there is none. bad_file: it cannot be read, is no regular file, or is over 64 MiB.
    Result<std::optional<std::string>> read(std::string_view path) const;

    /// The same where a file that is missing or cannot be read is as good as an empty one.
    std::string read_text(std::string_view path) const;

    bool exists(std::string_view path) const;
    bool is_program(std::string_view path) const;                      ///< a regular file that may be executed
    std::optional<std::string> read_link(std::string_view path) const; ///< of the last component
    std::vector<std::string> list(std::string_view path) const; ///< names, sorted, without . and ..; empty where there is none

private:
    std::string directory_;
    UniqueFd root_;
};

/// Names in a directory, sorted, without . and ..
std::vector<std::string> names_in(UniqueFd directory);

} // namespace safetp::setup
