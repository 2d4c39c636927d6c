#include "supervisor/pid_file.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr std::size_t kMostBytes = 32; // a number and white space

std::unexpected<Error> problem(const std::string& path, int os_error, const std::string& what = {})
{
    return fail(ErrorCode::bad_file, os_error, fmt::format("[process] pid_file {}{}{}", path, what.empty() ? "" : " ", what));
}

std::string read_start(int fd)
{
    char text[kMostBytes + 1];
    const ssize_t got = ::pread(fd, text, sizeof text, 0);
    return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

bool is_pid(std::string_view text)
{
    return text.size() <= kMostBytes && text.find_first_not_of("0123456789 \n") == std::string_view::npos;
}

UniqueFd open_to_read(const std::string& path)
{
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
}

} // namespace

PidFile::~PidFile()
{
    if (!is_ours_)
        return;
    const UniqueFd file = open_to_read(path_);
    if (file && std::atol(read_start(file.get()).c_str()) == ::getpid())
        ::unlink(path_.c_str());
}

Result<void> PidFile::check() const
{
    if (path_.empty())
        return {};
    const UniqueFd file = open_to_read(path_);
    if (!file && errno == ENOENT)
        return {};
    if (!file)
        return errno == ELOOP ? problem(path_, 0, "is a symbolic link: remove it") : problem(path_, errno);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0)
        return problem(path_, errno);
    if (!S_ISREG(status.st_mode))
        return problem(path_, 0, "is no regular file");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return problem(path_, 0, "belongs to somebody else");
    if (!is_pid(read_start(file.get())))
        return problem(path_, 0, "holds something else than a process id, and is left as it is");
    return {};
}

Result<void> PidFile::write()
{
    if (path_.empty())
        return {};
    if (auto fit = check(); !fit)
        return fit;
    std::string temporary = path_ + ".XXXXXX";
    const UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!file)
        return problem(path_, errno);
    const std::string text = fmt::format("{}\n", ::getpid());
    const bool is_written = ::fchmod(file.get(), 0644) == 0
        && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())
        && ::rename(temporary.c_str(), path_.c_str()) == 0;
    if (!is_written) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return problem(path_, error);
    }
    is_ours_ = true;
    return {};
}

} // namespace safetp::supervisor
