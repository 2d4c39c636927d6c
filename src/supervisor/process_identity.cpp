#include "supervisor/process_identity.h"

#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

std::uint32_t start_time(pid_t pid)
{
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto name_end = text.rfind(')'); // the name may hold anything
    if (name_end == std::string::npos)
        return 0;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 22; ++field)
        fields >> skipped;
    std::uint64_t ticks = 0;
    fields >> ticks;
    return static_cast<std::uint32_t>(ticks);
}

constexpr unsigned kIdShift = 32;

} // namespace

ProcessIdentity own_identity()
{
    return static_cast<ProcessIdentity>(::getpid()) << kIdShift | start_time(::getpid());
}

pid_t process_id(ProcessIdentity identity) { return static_cast<pid_t>(identity >> kIdShift); }

bool is_alive(ProcessIdentity identity)
{
    const pid_t pid = process_id(identity);
    if (pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH))
        return false;
    const auto then = static_cast<std::uint32_t>(identity);
    const std::uint32_t now = start_time(pid);
    return then == 0 || now == 0 || then == now; // what cannot be read speaks for life: a row too many is no harm
}

} // namespace safetp::supervisor
