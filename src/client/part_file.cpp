#include "client/part_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::client {

namespace {

constexpr mode_t kFileMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH; // the umask has the last word

/// False: meanwhile the name went to another file, as when the process that held the lock has finished its download.
bool is_still_named(int fd, const std::string& path)
{
    struct stat ours { };
    struct stat named { };
    return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino
        && ours.st_dev == named.st_dev;
}

/// What is written goes into this file and nowhere else, and nobody else owns what will have the file's name: in a directory
/// that others may write to, the part may have been put there for us.
Result<void> must_be_ours_alone(int fd, const std::string& part)
{
    struct stat status { };
    if (::fstat(fd, &status) != 0)
        return fail(ErrorCode::bad_file, errno, part);
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::bad_file, 0, part + " is not a plain file");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return fail(ErrorCode::bad_file, 0, part + " belongs to another user: have it removed, or use another directory");
    if (status.st_nlink > 1)
        return fail(ErrorCode::bad_file, 0, part + " has another name (a hard link), whose content would change: remove it");
    return {};
}

} // namespace

PartFile::PartFile(std::string path, UniqueFd fd) : path_(std::move(path)), part_path_(path_ + ".part"), fd_(std::move(fd))
{
    struct stat status { };
    if (::fstat(fd_.get(), &status) == 0) {
        size_ = status.st_size;
        modified_ = status.st_mtime;
    }
}

Result<PartFile> PartFile::open(const std::string& path)
{
    const std::string part = path + ".part";
    for (;;) {
        UniqueFd fd(::open(part.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kFileMode));
        if (!fd)
            return fail(ErrorCode::bad_file, errno, "cannot write " + part);
        if (const auto ours = must_be_ours_alone(fd.get(), part); !ours)
            return std::unexpected(ours.error());
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
            return fail(ErrorCode::bad_file, 0, "another process is writing " + part);
        if (is_still_named(fd.get(), part))
            return PartFile(path, std::move(fd));
    }
}

Result<void> PartFile::start_over()
{
    if (::ftruncate(fd_.get(), 0) != 0)
        return fail(ErrorCode::bad_file, errno, part_path_);
    size_ = 0;
    return {};
}

Result<void> PartFile::append(std::span<const char> bytes)
{
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR)
            return fail(ErrorCode::bad_file, errno, "cannot write " + part_path_);
        const auto written = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        bytes = bytes.subspan(written);
        size_ += static_cast<std::int64_t>(written);
    }
    return {};
}

void PartFile::keep(std::optional<std::time_t> modified)
{
    if (size_ == 0) {
        ::unlink(part_path_.c_str());
        return;
    }
    if (!modified)
        return;
    const timespec time{.tv_sec = *modified, .tv_nsec = 0};
    const timespec times[2] = {time, time}; // of access, of change
    ::futimens(fd_.get(), times);
}

Result<void> PartFile::finish()
{
    if (::fsync(fd_.get()) != 0)
        return fail(ErrorCode::bad_file, errno, "cannot write " + part_path_);
    // An earlier part carries the server's time only for the sake of another try.
    ::futimens(fd_.get(), nullptr);
    if (::rename(part_path_.c_str(), path_.c_str()) != 0)
        return fail(ErrorCode::bad_file, errno, "cannot rename " + part_path_ + " to " + path_);
    const std::string directory = std::filesystem::path(path_).parent_path().string();
    const UniqueFd parent(::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent)
        ::fsync(parent.get()); // so that a power cut does not undo what was reported as done
    return {};
}

} // namespace safetp::client
