#include "client/pin_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace safetp::client {

namespace {

constexpr mode_t kFileMode = S_IRUSR | S_IWUSR;
constexpr mode_t kDirectoryMode = S_IRWXU;
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;
constexpr std::size_t kMaxBytes = std::size_t{64} << 20; // far more than anybody has: against a file that never ends
constexpr auto kLockPause = std::chrono::milliseconds(10);

std::string directory_of(const std::string& path)
{
    const std::string parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

bool is_foreign(const struct stat& status) { return status.st_uid != 0 && status.st_uid != ::geteuid(); }

/// Who may write to the directory may put another file in the place of ours, but for sticky ones.
Result<void> must_be_ours(const std::string& directory)
{
    struct stat status { };
    if (::stat(directory.c_str(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, directory);
    if ((status.st_mode & S_ISVTX) != 0)
        return {};
    if (is_foreign(status))
        return fail(ErrorCode::bad_file, 0, directory + ", which holds the known servers, belongs to another user");
    if ((status.st_mode & kWritableByOthers) != 0)
        return fail(
            ErrorCode::bad_file, 0, directory + ", which holds the known servers, can be written by others: chmod go-w it");
    return {};
}

Result<void> must_be_ours(int fd, const std::string& path)
{
    struct stat status { };
    if (::fstat(fd, &status) != 0)
        return fail(ErrorCode::bad_file, errno, path);
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::bad_file, 0, path + " is not a plain file");
    if (is_foreign(status))
        return fail(ErrorCode::bad_file, 0, path + " belongs to another user");
    if ((status.st_mode & kWritableByOthers) != 0)
        return fail(ErrorCode::bad_file, 0, path + " can be written by others: look whether it is right, then chmod go-w it");
    return {};
}

Result<std::string> read_whole(int fd, const std::string& path)
{
    std::string text;
    std::array<char, 16384> buffer{};
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count == 0)
            return text;
        if (count < 0 && errno != EINTR)
            return fail(ErrorCode::bad_file, errno, path);
        text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (text.size() > kMaxBytes)
            return fail(ErrorCode::bad_file, EFBIG, path);
    }
}

bool write_whole(int fd, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno != EINTR)
            return false;
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    return ::fsync(fd) == 0;
}

Result<void> make_directories(const std::string& directory)
{
    std::error_code ignored;
    if (std::filesystem::is_directory(directory, ignored))
        return {};
    const std::string parent = directory_of(directory);
    if (parent != directory) {
        if (const auto made = make_directories(parent); !made)
            return made;
    }
    if (::mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
        return fail(ErrorCode::bad_file, errno, "cannot make the directory " + directory);
    return {};
}

} // namespace

Result<std::string> read_pin_file(const std::string& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && errno == ENOENT)
        return std::string{};
    if (!file && errno == ELOOP)
        return fail(ErrorCode::bad_file, 0, path + " is a symbolic link: name the file itself with --pins");
    if (!file)
        return fail(ErrorCode::bad_file, errno, path);
    if (const auto ours = must_be_ours(directory_of(path)); !ours)
        return std::unexpected(ours.error());
    if (const auto ours = must_be_ours(file.get(), path); !ours)
        return std::unexpected(ours.error());
    return read_whole(file.get(), path);
}

Result<UniqueFd> lock_pin_file(const std::string& path, std::chrono::milliseconds timeout)
{
    if (const auto made = make_directories(directory_of(path)); !made)
        return std::unexpected(made.error());
    if (const auto ours = must_be_ours(directory_of(path)); !ours)
        return std::unexpected(ours.error());
    // Readable by nobody else: whoever can open it could hold the lock for ever.
    const std::string name = path + ".lock";
    UniqueFd lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kFileMode));
    if (!lock)
        return fail(ErrorCode::bad_file, errno, "cannot open " + name);
    if (const auto ours = must_be_ours(lock.get(), name); !ours)
        return std::unexpected(ours.error());
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(ErrorCode::bad_file, errno, "cannot lock " + name);
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(ErrorCode::timed_out, 0, "another process keeps " + name + " locked");
        std::this_thread::sleep_for(kLockPause);
    }
    return lock;
}

Result<void> replace_pin_file(const std::string& path, std::string_view text)
{
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str()); // of a process that was killed: the lock is ours, so nobody writes it
    UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode));
    if (!file)
        return fail(ErrorCode::bad_file, errno, "cannot make " + temporary);
    bool is_written = write_whole(file.get(), text);
    int os_error = errno;
    if (::close(file.release()) != 0 && is_written) { // where NFS reports a full disk
        is_written = false;
        os_error = errno;
    }
    if (!is_written || ::rename(temporary.c_str(), path.c_str()) != 0) {
        if (is_written)
            os_error = errno;
        ::unlink(temporary.c_str());
        return fail(ErrorCode::bad_file, os_error, "cannot write " + path);
    }
    const std::string directory = directory_of(path);
    const UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || ::fsync(parent.get()) != 0)
        return fail(ErrorCode::bad_file, errno, "cannot write " + directory + " to the disk");
    return {};
}

} // namespace safetp::client
