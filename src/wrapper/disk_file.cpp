#include "wrapper/disk_file.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

using access::FileText;

/// The kernel stamps files with the time of its last tick: 10 ms apart at the most. Generous, since reading twice is cheap.
constexpr std::int64_t kYoungNs = 50'000'000;

std::int64_t to_ns(const timespec& time) { return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec; }

/// O_NONBLOCK: a FIFO must not hold us up. O_NOCTTY: nor a terminal become ours.
UniqueFd open_for_reading(const std::string& path)
{
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

/// Other devices may act when they are opened, or give without end.
bool may_be_opened(const struct stat& status)
{
    const bool is_null_device = S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || is_null_device;
}

FileText unreadable(int os_error) { return {FileText::State::unreadable, {}, os_error}; }

FileText read_all(int fd, const struct stat& status)
{
    FileText file{FileText::State::text, {}, 0};
    std::size_t used = 0;
    const auto expected = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
    if (expected > kMaxFileBytes)
        return unreadable(EFBIG);
    file.text.resize(expected + 1); // one more, so that the end is seen without growing
    for (;;) {
        if (used == file.text.size())
            file.text.resize(used * 2);
        const ssize_t count = ::read(fd, file.text.data() + used, file.text.size() - used);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return unreadable(errno);
        if (count == 0)
            break;
        used += static_cast<std::size_t>(count);
        if (used > kMaxFileBytes)
            return unreadable(EFBIG);
    }
    file.text.resize(used);
    return file;
}

} // namespace

bool FileMark::operator==(const FileMark& other) const
{
    return os_error == other.os_error && device == other.device && inode == other.inode && size == other.size
        && modified_ns == other.modified_ns && changed_ns == other.changed_ns;
}

FileMark mark_of(const std::string& path)
{
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
        return {.os_error = errno};
    FileMark mark{.device = status.st_dev, .inode = status.st_ino, .size = status.st_size,
        .modified_ns = to_ns(status.st_mtim), .changed_ns = to_ns(status.st_ctim)};
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    // Not younger than now only: with a clock that was set back a file from the future would be read again and again.
    mark.is_young = std::abs(to_ns(now) - mark.changed_ns) < kYoungNs;
    return mark;
}

bool has_changed(const Fingerprint& fingerprint)
{
    return std::ranges::any_of(
        fingerprint, [](const auto& entry) { return entry.second.is_young || mark_of(entry.first) != entry.second; });
}

Writers writers_of(const std::string& path)
{
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return Writers::none; // nothing whose half could be read
    const UniqueFd fd = open_for_reading(path);
    if (!fd)
        return Writers::none;
    // Who opens the file to write while we hold the lease makes the kernel signal us: by default SIGIO, which would end us.
    // SIGURG is ignored unless somebody asks for it.
    ::fcntl(fd.get(), F_SETSIG, SIGURG);
    if (::fcntl(fd.get(), F_SETLEASE, F_RDLCK) == 0) {
        ::fcntl(fd.get(), F_SETLEASE, F_UNLCK);
        return Writers::none;
    }
    return errno == EAGAIN ? Writers::some : Writers::cannot_tell;
}

FileText read_file(const std::string& path)
{
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && !may_be_opened(status))
        return unreadable(EINVAL);
    const UniqueFd fd = open_for_reading(path);
    if (!fd)
        return errno == ENOENT ? FileText{} : unreadable(errno);
    if (::fstat(fd.get(), &status) != 0)
        return unreadable(errno);
    if (S_ISDIR(status.st_mode))
        return {FileText::State::directory, {}, 0};
    return may_be_opened(status) ? read_all(fd.get(), status) : unreadable(EINVAL);
}

} // namespace safetp::wrapper
