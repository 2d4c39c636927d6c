#include "setup/durable_file.h"

#include "base/unique_fd.h"
#include "setup/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace safetp::setup {

namespace {

constexpr std::string_view kPrefix = ".safetpd-setup-";

std::string temporary_name()
{
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz012345";
    std::array<unsigned char, 10> random{};
    [[maybe_unused]] const ssize_t count = ::getrandom(random.data(), random.size(), 0); // a name that is taken is refused
    std::string name(kPrefix);
    for (const unsigned char byte : random)
        name += kLetters[byte % kLetters.size()];
    return name;
}

/// A temporary file that is gone unless it was renamed.
class TemporaryFile {
public:
    explicit TemporaryFile(int directory)
        : directory_(directory)
        , name_(temporary_name())
        , fd_(::openat(directory, name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600))
    {
    }
    TemporaryFile(const TemporaryFile&) = delete;
    ~TemporaryFile()
    {
        if (fd_ && !is_renamed_)
            ::unlinkat(directory_, name_.c_str(), 0);
    }
    int fd() const { return fd_.get(); }
    bool rename_to(const std::string& name)
    {
        return is_renamed_ = ::renameat(directory_, name_.c_str(), directory_, name.c_str()) == 0;
    }

private:
    int directory_;
    std::string name_;
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

bool copy_metadata(int from, int to, bool with_times)
{
    struct stat status { };
    if (::fstat(from, &status) != 0 || !copy_attributes(from, to))
        return false;
    const bool is_same_owner = status.st_uid == ::geteuid() && status.st_gid == ::getegid();
    if (!is_same_owner && ::fchown(to, status.st_uid, status.st_gid) != 0)
        return false;
    if (::fchmod(to, status.st_mode & 07777) != 0) // after fchown, which takes bits away
        return false;
    const timespec times[2] = {status.st_atim, status.st_mtim};
    return !with_times || ::futimens(to, times) == 0;
}

std::string name_of(std::string_view path) { return std::string(base_name(path)); }

/// Removes one of our temporary files or directories, and what is ours in it. Links are not followed.
void remove_temporary(int directory, const std::string& name, int depth = 0)
{
    static constexpr int kDeepest = 8;
    const bool is_ours = depth == 0 || name == kMadeFile || name.starts_with(kPrefix);
    if (is_ours && (::unlinkat(directory, name.c_str(), 0) == 0 || errno != EISDIR))
        return;
    const UniqueFd inner(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inner || depth == kDeepest)
        return;
    for (const std::string& each : names_in(UniqueFd(::fcntl(inner.get(), F_DUPFD_CLOEXEC, 0))))
        remove_temporary(inner.get(), each, depth + 1);
    ::unlinkat(directory, name.c_str(), AT_REMOVEDIR); // only where it is empty now
}

/// The innermost of directories of which the outermost is called otherwise for now.
std::string innermost_within(const std::string& outermost, const std::vector<std::string>& directories)
{
    std::string path = outermost;
    for (std::size_t index = 1; index < directories.size(); ++index)
        path += "/" + name_of(directories[index]);
    return path;
}

} // namespace

Result<void> write_durably(
    const Root& root, const std::string& path, std::string_view content, const std::string& pattern, bool keep_times)
{
    const auto directory = root.open_parent(path);
    const auto like = pattern.empty() ? Result<UniqueFd>() : root.open(pattern, O_RDONLY | O_NONBLOCK);
    if (!directory || !like)
        return std::unexpected((!directory ? directory : like).error());
    TemporaryFile file(directory->get());
    if (file.fd() < 0)
        return fail(ErrorCode::bad_file, errno, path);
    const bool is_written = write_all(file.fd(), content)
        && (pattern.empty() ? ::fchmod(file.fd(), 0644) == 0 : copy_metadata(like->get(), file.fd(), keep_times))
        && ::fsync(file.fd()) == 0;
    if (!is_written || !file.rename_to(name_of(path)) || ::fsync(directory->get()) != 0)
        return fail(ErrorCode::bad_file, errno, path);
    return {};
}

void sweep_temporary_files(const Root& root, const std::string& directory)
{
    const auto opened = root.open(directory, O_RDONLY | O_DIRECTORY);
    if (!opened)
        return;
    for (const std::string& name : names_in(UniqueFd(::fcntl(opened->get(), F_DUPFD_CLOEXEC, 0)))) {
        if (name.starts_with(kPrefix))
            remove_temporary(opened->get(), name);
    }
}

Result<void> remove_durably(const Root& root, const std::string& path)
{
    const auto directory = root.open_parent(path);
    if (!directory) // gone as well: no trouble
        return directory.error().os_error == ENOENT ? Result<void>() : std::unexpected(directory.error());
    if (::unlinkat(directory->get(), name_of(path).c_str(), 0) != 0 && errno != ENOENT)
        return fail(ErrorCode::bad_file, errno, path);
    ::fsync(directory->get());
    return {};
}

bool remove_if_empty(const Root& root, const std::string& directory)
{
    const auto parent = root.open_parent(directory);
    return parent && ::unlinkat(parent->get(), name_of(directory).c_str(), AT_REMOVEDIR) == 0;
}

Result<void> make_directories(const Root& root, const std::string& path, unsigned mode)
{
    for (std::size_t end = path == "/" ? std::string::npos : 1; end != std::string::npos;) {
        end = path.find('/', end);
        const std::string part = path.substr(0, end);
        const auto parent = root.open_parent(part);
        if (!parent)
            return std::unexpected(parent.error());
        if (::mkdirat(parent->get(), name_of(part).c_str(), mode) == 0)
            ::fsync(parent->get());
        else if (errno != EEXIST)
            return fail(ErrorCode::bad_file, errno, part);
        end = end == std::string::npos ? end : end + 1;
    }
    return {};
}

Result<void> make_directories_at_once(
    const Root& root, const std::vector<std::string>& directories, std::size_t private_ones, std::string_view content)
{
    const auto parent = root.open_parent(directories.front());
    if (!parent)
        return std::unexpected(parent.error());
    const std::string name = temporary_name();
    const std::string_view above = directory_name(directories.front());
    const std::string innermost
        = innermost_within(fmt::format("{}/{}", above == "/" ? "" : above, name), directories);
    auto made = make_directories(root, innermost, 0700);
    std::string directory = innermost;
    for (std::size_t index = directories.size(); made && index-- > 0; directory = directory_name(directory)) {
        const auto opened = root.open(directory, O_RDONLY | O_DIRECTORY);
        if (opened && index + private_ones < directories.size())
            ::fchmod(opened->get(), 0755);
    }
    if (made)
        made = write_durably(root, innermost + "/" + kMadeFile, content, "");
    if (made && ::renameat(parent->get(), name.c_str(), parent->get(), name_of(directories.front()).c_str()) != 0)
        made = fail(ErrorCode::bad_file, errno, directories.front());
    if (!made)
        remove_temporary(parent->get(), name);
    ::fsync(parent->get());
    return made;
}

void remove_directories_at_once(const Root& root, const std::vector<std::string>& directories)
{
    for (std::size_t index = 0; index < directories.size(); ++index) {
        const std::string inner = index + 1 < directories.size() ? name_of(directories[index + 1]) : kMadeFile;
        if (root.list(directories[index]) != std::vector{inner})
            return;
    }
    const auto parent = root.open_parent(directories.front());
    const std::string name = temporary_name(), before = name_of(directories.front());
    if (!parent || ::renameat(parent->get(), before.c_str(), parent->get(), name.c_str()) != 0)
        return;
    ::fsync(parent->get());
    remove_temporary(parent->get(), name);
    ::renameat(parent->get(), name.c_str(), parent->get(), before.c_str()); // somebody has put something in meanwhile
}

} // namespace safetp::setup
