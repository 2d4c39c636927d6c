#include "setup/root.h"

#include "setup/text.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <deque>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace safetp::setup {

namespace {

constexpr std::size_t kMaxFileBytes = 64u << 20;
constexpr int kMaxLinks = 40; // as the kernel

/// Puts the components of `path` before those that are still to be walked.
void push_components(std::string_view path, std::deque<std::string>& pending)
{
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (end > begin)
            parts.emplace_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    pending.insert(pending.begin(), parts.begin(), parts.end());
}

/// Of a link in a directory; nothing where it is none.
std::optional<std::string> link_target(int directory, const std::string& name)
{
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
    if (length < 0)
        return std::nullopt;
    target.resize(static_cast<std::size_t>(length));
    return target;
}

/// openat2(2), which glibc does not have. `path` is taken as one within `root`, whether it begins with a slash or not.
UniqueFd open_in_root(int root, const char* path, int flags, unsigned mode, std::uint64_t resolve)
{
    open_how how{};
    how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
    how.mode = mode;
    how.resolve = RESOLVE_IN_ROOT | resolve;
    for (;;) {
        UniqueFd opened(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
        if (opened || (errno != EAGAIN && errno != EINTR)) // EAGAIN: somebody moves directories on the way just now
            return opened;
    }
}

} // namespace

Root::Root(std::string directory) : directory_(std::move(directory))
{
    while (!directory_.empty() && directory_.back() == '/')
        directory_.pop_back();
    const UniqueFd machine(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    root_ = open_in_root(machine.get(), directory_.empty() ? "/" : directory_.c_str(), O_PATH | O_DIRECTORY, 0,
        directory_.empty() ? 0 : RESOLVE_NO_SYMLINKS);
}

Result<std::string> Root::resolve(std::string_view path) const
{
    std::deque<std::string> pending;
    push_components(path, pending);
    std::string walked; // within the root
    for (int links = 0; !pending.empty();) {
        const std::string part = pending.front();
        pending.pop_front();
        if (part == ".")
            continue;
        if (part == "..") { // not above the root
            walked.resize(walked.empty() ? 0 : walked.rfind('/'));
            continue;
        }
        const auto directory = open(walked.empty() ? "/" : walked, O_PATH | O_DIRECTORY);
        if (!directory && directory.error().os_error == ENOTDIR)
            return fail(ErrorCode::bad_file, ENOTDIR, std::string(path));
        if (const auto target = directory ? link_target(directory->get(), part) : std::nullopt) {
            if (++links > kMaxLinks)
                return fail(ErrorCode::bad_file, ELOOP, std::string(path));
            if (target->starts_with('/'))
                walked.clear();
            push_components(*target, pending);
            continue;
        }
        walked += "/" + part;
    }
    return walked.empty() ? "/" : walked;
}

Result<UniqueFd> Root::open(std::string_view real_path, int flags, unsigned mode) const
{
    UniqueFd opened = open_in_root(root_.get(), std::string(real_path).c_str(), flags, mode, RESOLVE_NO_SYMLINKS);
    if (!opened)
        return fail(ErrorCode::bad_file, errno, std::string(real_path));
    return opened;
}

Result<UniqueFd> Root::open_parent(std::string_view real_path) const
{
    return open(directory_name(real_path), O_RDONLY | O_DIRECTORY);
}

Result<std::optional<std::string>> Root::read(std::string_view path) const
{
    const auto real = resolve(path);
    if (!real)
        return std::unexpected(real.error());
    const auto file = open(*real, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const int error = file ? 0 : file.error().os_error;
    if (error == ENOENT || error == ENOTDIR)
        return std::optional<std::string>();
    struct stat status { };
    if (!file || ::fstat(file->get(), &status) != 0)
        return fail(ErrorCode::bad_file, file ? errno : error, std::string(path));
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::bad_file, 0, std::string(path) + " is not a regular file");
    std::string text;
    char buffer[65536];
    for (;;) { // to its end: files of /proc have no size
        const ssize_t count = ::read(file->get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 || text.size() > kMaxFileBytes)
            return fail(ErrorCode::bad_file, count < 0 ? errno : EFBIG, std::string(path));
        if (count == 0)
            return text;
        text.append(buffer, static_cast<std::size_t>(count));
    }
}

std::string Root::read_text(std::string_view path) const
{
    auto text = read(path);
    return text && *text ? std::move(**text) : std::string();
}

bool Root::exists(std::string_view path) const
{
    const auto real = resolve(path);
    return real && open(*real, O_PATH);
}

bool Root::is_program(std::string_view path) const
{
    const auto real = resolve(path);
    const auto file = real ? open(*real, O_PATH) : std::unexpected(real.error());
    struct stat status { };
    return file && ::fstat(file->get(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

std::optional<std::string> Root::read_link(std::string_view path) const
{
    const auto parent = resolve(directory_name(path));
    const auto directory = parent ? open(*parent, O_PATH | O_DIRECTORY) : std::unexpected(parent.error());
    return directory ? link_target(directory->get(), std::string(base_name(path))) : std::nullopt;
}

std::vector<std::string> Root::list(std::string_view path) const
{
    const auto real = resolve(path);
    auto directory = real ? open(*real, O_RDONLY | O_DIRECTORY) : std::unexpected(real.error());
    return directory ? names_in(std::move(*directory)) : std::vector<std::string>();
}

std::vector<std::string> names_in(UniqueFd fd)
{
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
    if (directory)
        fd.release();
    while (directory) {
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr)
            break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            names.emplace_back(name);
    }
    std::ranges::sort(names);
    return names;
}

} // namespace safetp::setup
