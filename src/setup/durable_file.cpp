#include "setup/durable_file.h"

#include "base/unique_fd.h"
#include "setup/root.h"
#include "setup/text.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace safetp::setup {

namespace {

constexpr std::string_view kPrefix = ".safetpd-setup-";

/// A temporary file that is gone unless it was renamed.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& beside)
        : path_(std::string(directory_name(beside)) + "/" + std::string(kPrefix) + "XXXXXX")
        , fd_(::mkostemp(path_.data(), O_CLOEXEC))
    {
    }
    TemporaryFile(const TemporaryFile&) = delete;
    ~TemporaryFile()
    {
        if (fd_ && !is_renamed_)
            ::unlink(path_.c_str());
    }
    int fd() const { return fd_.get(); }
    bool rename_to(const std::string& path) { return is_renamed_ = ::rename(path_.c_str(), path.c_str()) == 0; }

private:
    std::string path_;
    UniqueFd fd_;
    bool is_renamed_ = false;
};

bool write_all(int fd, std::string_view content)
{
    while (!content.empty()) {
        const ssize_t count = ::write(fd, content.data(), content.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        content.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

/// Access lists and labels too. What cannot be set is an error: a file that others may suddenly read is no gift.
bool copy_attributes(int from, int to)
{
    const ssize_t size = ::flistxattr(from, nullptr, 0);
    if (size <= 0)
        return size == 0 || errno == ENOTSUP;
    std::string names(static_cast<std::size_t>(size), '\0');
    const ssize_t length = ::flistxattr(from, names.data(), names.size());
    if (length < 0)
        return false;
    names.resize(static_cast<std::size_t>(length));
    for (std::size_t begin = 0; begin < names.size(); begin = names.find('\0', begin) + 1) {
        const char* const name = names.data() + begin;
        const ssize_t value_size = ::fgetxattr(from, name, nullptr, 0);
        std::string value(static_cast<std::size_t>(std::max<ssize_t>(value_size, 0)), '\0');
        if (value_size < 0 || ::fgetxattr(from, name, value.data(), value.size()) != value_size)
            return false;
        std::string present(value.size(), '\0'); // labels may be the same already, and not ours to set
        if (::fgetxattr(to, name, present.data(), present.size()) == value_size && present == value)
            continue;
        if (::fsetxattr(to, name, value.data(), value.size(), 0) != 0)
            return false;
    }
    return true;
}

bool copy_metadata(const std::string& from, int to, bool with_times)
{
    const UniqueFd pattern(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status { };
    if (!pattern || ::fstat(pattern.get(), &status) != 0 || !copy_attributes(pattern.get(), to))
        return false;
    const bool is_same_owner = status.st_uid == ::geteuid() && status.st_gid == ::getegid();
    if (!is_same_owner && ::fchown(to, status.st_uid, status.st_gid) != 0)
        return false;
    if (::fchmod(to, status.st_mode & 07777) != 0) // after fchown, which takes bits away
        return false;
    const timespec times[2] = {status.st_atim, status.st_mtim};
    return !with_times || ::futimens(to, times) == 0;
}

bool sync_directory(const std::string& path)
{
    const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory && ::fsync(directory.get()) == 0;
}

} // namespace

Result<void> write_durably(const std::string& path, std::string_view content, const std::string& pattern, bool keep_times)
{
    TemporaryFile file(path);
    if (file.fd() < 0)
        return fail(ErrorCode::bad_file, errno, path);
    const bool is_written = write_all(file.fd(), content)
        && (pattern.empty() ? ::fchmod(file.fd(), 0644) == 0 : copy_metadata(pattern, file.fd(), keep_times))
        && ::fsync(file.fd()) == 0;
    if (!is_written || !file.rename_to(path))
        return fail(ErrorCode::bad_file, errno, path);
    if (!sync_directory(std::string(directory_name(path))))
        return fail(ErrorCode::bad_file, errno, std::string(directory_name(path)));
    return {};
}

void sweep_temporary_files(const std::string& directory)
{
    for (const std::string& name : Root().list(directory)) {
        if (name.starts_with(kPrefix))
            ::unlink((directory + "/" + name).c_str());
    }
}

Result<void> remove_durably(const std::string& path)
{
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail(ErrorCode::bad_file, errno, path);
    sync_directory(std::string(directory_name(path))); // a directory that is gone as well is no trouble
    return {};
}

Result<std::vector<std::string>> make_directories(const std::string& path, unsigned mode)
{
    std::vector<std::string> made;
    for (std::size_t end = 1; end != std::string::npos;) {
        end = path.find('/', end);
        const std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), mode) == 0) {
            made.push_back(part);
            sync_directory(std::string(directory_name(part)));
        } else if (errno != EEXIST) {
            return fail(ErrorCode::bad_file, errno, part);
        }
        end = end == std::string::npos ? end : end + 1;
    }
    return made;
}

} // namespace safetp::setup
