#include "wrapper/names.h"

#include "access/request.h"
#include "base/unique_fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

using Clock = std::chrono::steady_clock;

// What the child says, in this order, each ended by a NUL, which no name and no message holds:
// the name that the reverse lookup found (empty: none), then the value and the warning of the whole.
constexpr std::ptrdiff_t kParts = 3;

void tell(int fd, const std::string& text)
{
    const std::string_view with_nul(text.c_str(), text.size() + 1);
    if (::write(fd, with_nul.data(), with_nul.size()) < 0)
        ::_exit(1);
}

[[noreturn]] void look_up_and_tell(const IpAddress& address, int fd)
{
    const auto name = reverse_name(address);
    tell(fd, name.value_or(""));
    const NameFinding finding = name ? verify_name(address, *name) : NameFinding{access::kUnknown, {}};
    tell(fd, finding.value);
    tell(fd, finding.warning);
    ::_exit(0);
}

/// What came until it was all, the child ended, or the time was over.
std::string listen(int fd, Clock::time_point deadline)
{
    std::string heard;
    while (std::ranges::count(heard, '\0') < kParts) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{fd, POLLIN, 0};
        const int ready = left > 0 ? ::poll(&entry, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        std::array<char, 1024> buffer;
        const ssize_t count = ready > 0 ? ::read(fd, buffer.data(), buffer.size()) : 0;
        if (count <= 0)
            break;
        heard.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return heard;
}

NameFinding understand(const IpAddress& address, const std::string& heard)
{
    std::array<std::string, kParts> parts;
    std::size_t begin = 0;
    std::size_t found = 0;
    for (std::size_t end = heard.find('\0'); end != std::string::npos && found < parts.size(); end = heard.find('\0', begin)) {
        parts[found++] = heard.substr(begin, end - begin);
        begin = end + 1;
    }
    if (found == parts.size())
        return {parts[1], parts[2]};
    if (parts[0].empty())
        return {access::kUnknown, {}};
    return judge_name(address, parts[0], false, {.has_failed = true, .canonical_name = {}, .addresses = {}});
}

} // namespace

NameFinding look_up_name_within(const IpAddress& address, std::chrono::milliseconds time)
{
    const Clock::time_point deadline = Clock::now() + time;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return {access::kUnknown, {}};
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return {access::kUnknown, {}};
    if (child == 0)
        look_up_and_tell(address, writer.get());
    writer.reset();
    const std::string heard = listen(reader.get(), deadline);
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR)
        continue;
    return understand(address, heard);
}

} // namespace safetp::wrapper
