#include "setup/root.h"

#include "base/unique_fd.h"
#include "setup/text.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <deque>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
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

std::optional<std::string> link_target(const std::string& path)
{
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    if (length < 0)
        return std::nullopt;
    target.resize(static_cast<std::size_t>(length));
    return target;
}

} // namespace

Root::Root(std::string directory) : directory_(std::move(directory))
{
    while (!directory_.empty() && directory_.back() == '/')
        directory_.pop_back();
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
        const std::string next = directory_ + walked + "/" + part;
        if (const auto target = link_target(next)) {
            if (++links > kMaxLinks)
                return fail(ErrorCode::bad_file, ELOOP, std::string(path));
            if (target->starts_with('/'))
                walked.clear();
            push_components(*target, pending);
            continue;
        }
        struct stat status { };
        if (!pending.empty() && ::lstat(next.c_str(), &status) == 0 && !S_ISDIR(status.st_mode))
            return fail(ErrorCode::bad_file, ENOTDIR, std::string(path));
        walked += "/" + part;
    }
    return directory_ + (walked.empty() ? "/" : walked);
}

std::string Root::within(const std::string& real_path) const
{
    return real_path.starts_with(directory_ + "/") ? real_path.substr(directory_.size()) : real_path;
}

Result<std::optional<std::string>> Root::read(std::string_view path) const
{
    const auto real = resolve(path);
    if (!real)
        return std::unexpected(real.error());
    const UniqueFd file(::open(real->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file && (errno == ENOENT || errno == ENOTDIR))
        return std::optional<std::string>();
    struct stat status { };
    if (!file || ::fstat(file.get(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, std::string(path));
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::bad_file, 0, std::string(path) + " is not a regular file");
    std::string text;
    char buffer[65536];
    for (;;) { // to its end: files of /proc have no size
        const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
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
    return real && ::access(real->c_str(), F_OK) == 0;
}

bool Root::is_program(std::string_view path) const
{
    const auto real = resolve(path);
    struct stat status { };
    return real && ::stat(real->c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

std::optional<std::string> Root::read_link(std::string_view path) const
{
    const auto parent = resolve(directory_name(path));
    return parent ? link_target(*parent + "/" + std::string(base_name(path))) : std::nullopt;
}

std::vector<std::string> Root::list(std::string_view path) const
{
    std::vector<std::string> names;
    const auto real = resolve(path);
    if (!real)
        return names;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(real->c_str()), ::closedir);
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
