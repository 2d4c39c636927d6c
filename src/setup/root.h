// The files of a machine: of this one, or of a scratch root (--root DIR), where links lead as they would for a process that is
// locked in there.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

class Root {
public:
    /// `directory` empty: this machine. Otherwise its path without links.
    explicit Root(std::string directory = {});

    bool is_live() const { return directory_.empty(); }

    /// Where `path` (absolute within the root) is on this machine, all links followed. The last component need not exist.
    /// bad_file: links that lead in a circle, or a directory on the way that is none.
    Result<std::string> resolve(std::string_view path) const;

    /// A path of this machine as those within the root see it.
    std::string within(const std::string& real_path) const;

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
};

} // namespace safetp::setup
