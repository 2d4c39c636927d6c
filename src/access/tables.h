// The two tables with every file that their rules name, as they were at one moment, and the index that finds the few rules that
// can matter for an address among a million. Built once, then only read: one image serves all processes that map it.
#pragma once

#include "access/rules.h"
#include "base/result.h"

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::access {

/// A file as it was found. hosts_access(5), "FILES".
struct FileText {
    enum class State { text, missing, directory, unreadable } state = State::missing;
    std::string text;
    int os_error = 0;  ///< errno where unreadable
};

/// Everything that a decision may read. Paths are absolute.
struct TableFiles {
    std::string allow_path = "/etc/hosts.allow";
    std::string deny_path = "/etc/hosts.deny";
    FileText allow;
    FileText deny;
    std::map<std::string, FileText> others; ///< pattern files (and those that they name) and banner files
};

/// The files that the rules of a table name: /path patterns of client lists and daemons' @/path, and, for each of `daemons`,
/// the banner files (DIR/daemon) and their directories. Sorted, each once. What pattern files name in their turn is found by
/// asking again with files_named_by_pattern_file. A file that compile() is not given counts as missing.
std::vector<std::string> files_named_by_table(std::string_view text, Reading reading, const std::vector<std::string>& daemons);
std::vector<std::string> files_named_by_pattern_file(std::string_view text);

/// Compiles to one position-independent block of bytes (to be put into a memfd and mapped read-only by every worker). Cost:
/// linear in the text. `policy` fields are in the image too, so that image and reading cannot disagree.
std::vector<std::byte> compile(const TableFiles& files, Reading reading);

/// A view of a compiled image; the bytes must outlive it. Cheap to copy.
class Tables {
public:
    /// access: not an image of this version, or a damaged one (every offset is checked once, here).
    static Result<Tables> open(std::span<const std::byte> image);

    Reading reading() const;
    std::string path(TableName table) const;
    std::span<const std::byte> image() const { return image_; } ///< src/access/image.h reads it

private:
    Tables() = default;

    std::span<const std::byte> image_;
};

} // namespace safetp::access
