// A download on its way: FILE.part, which takes FILE's name only when it is whole.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>

namespace safetp::client {

/// Holds a lock on FILE.part, so that two downloads never write the same one.
class PartFile {
public:
    /// Makes FILE.part, or opens the one that an earlier download has left. bad_file: it cannot be made, is no plain file, is
    /// another user's, has a second name (a hard link), or another process writes it.
    static Result<PartFile> open(const std::string& path);

    std::int64_t size() const { return size_; }
    /// Whether what is there is of a file of that age: keep() has noted it.
    bool is_of(std::time_t modified) const { return modified_ == modified; }
    Result<void> start_over(); ///< empties it
    Result<void> append(std::span<const char> bytes);
    /// For another try: notes how old the file on the server is. An empty part is removed.
    void keep(std::optional<std::time_t> modified);
    /// Everything has come: onto the disk, then FILE.part becomes FILE.
    Result<void> finish();
    const std::string& part_path() const { return part_path_; }

private:
    PartFile(std::string path, UniqueFd fd);

    std::string path_;
    std::string part_path_;
    UniqueFd fd_;
    std::int64_t size_ = 0;
    std::time_t modified_ = 0;
};

} // namespace safetp::client
