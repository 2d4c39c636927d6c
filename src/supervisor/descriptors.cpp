#include "supervisor/descriptors.h"

#include "supervisor/upgrade.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fcntl.h>
#include <linux/close_range.h>
#include <system_error>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

namespace fs = std::filesystem;

constexpr int kFirst = STDERR_FILENO + 1;

/// How many follow SD_LISTEN_FDS_START. The variables stay: they are taken later.
int count_inherited_sockets()
{
    const char* const pid = std::getenv("LISTEN_PID");
    const char* const count = std::getenv("LISTEN_FDS");
    const bool are_ours = pid != nullptr && count != nullptr && std::atol(pid) == ::getpid();
    return are_ours ? std::atoi(count) : 0;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

} // namespace

void close_all_but(std::vector<int> keep)
{
    std::ranges::sort(keep);
    int next = kFirst;
    for (const int fd : keep) {
        if (fd > next)
            ::close_range(static_cast<unsigned>(next), static_cast<unsigned>(fd) - 1, 0);
        next = std::max(next, fd + 1);
    }
    ::close_range(static_cast<unsigned>(next), ~0u, 0);
}

std::vector<int> find_strange_descriptors()
{
    const int sockets_end = SD_LISTEN_FDS_START + count_inherited_sockets();
    const std::vector<int> passed_on = descriptors_of_predecessor();
    std::vector<int> strange;
    std::error_code error;
    for (fs::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) {
        const int fd = std::atoi(entry->path().filename().c_str());
        if (fd >= sockets_end && std::ranges::find(passed_on, fd) == passed_on.end())
            strange.push_back(fd);
    }
    std::erase_if(strange, [](int fd) { return !is_open(fd); }); // the one that the listing itself had
    return strange;
}

void close_descriptors(const std::vector<int>& descriptors)
{
    for (const int fd : descriptors)
        ::close(fd);
}

} // namespace safetp::supervisor
