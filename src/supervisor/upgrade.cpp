#include "supervisor/upgrade.h"

#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr const char* kReadyVariable = "SAFETP_READY_FD";
constexpr const char* kCountersVariable = "SAFETP_COUNTERS_FD";

/// As this process was called; proc(5), "cmdline".
std::vector<std::string> own_arguments()
{
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> result;
    for (std::size_t begin = 0; begin < all.size(); begin = all.find('\0', begin) + 1)
        result.emplace_back(all.c_str() + begin);
    return result;
}

/// The variables of the new process: ours, and what sd_listen_fds(3) and sd_watchdog_enabled(3) look for. Only numbers that the
/// child alone knows are left to it.
void set_environment(std::size_t sockets)
{
    const int first_behind = SD_LISTEN_FDS_START + static_cast<int>(sockets);
    const std::string own_pid = std::to_string(::getpid());
    ::setenv("LISTEN_FDS", std::to_string(sockets).c_str(), 1);
    ::setenv("LISTEN_PID", own_pid.c_str(), 1);
    ::unsetenv("LISTEN_FDNAMES");
    if (std::getenv("WATCHDOG_PID") != nullptr)
        ::setenv("WATCHDOG_PID", own_pid.c_str(), 1);
    ::setenv(kReadyVariable, std::to_string(first_behind).c_str(), 1);
    ::setenv(kCountersVariable, std::to_string(first_behind + 1).c_str(), 1);
}

/// Puts the sockets at 3, 4, ..., where sd_listen_fds(3) expects them, and the others behind them. All are first moved away.
void lay_out_descriptors(std::vector<int> descriptors)
{
    const int first_free = SD_LISTEN_FDS_START + static_cast<int>(descriptors.size());
    for (int& fd : descriptors)
        fd = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        if (descriptors[i] < 0 || ::dup2(descriptors[i], SD_LISTEN_FDS_START + static_cast<int>(i)) < 0)
            ::_exit(EXIT_FAILURE);
    }
}

[[noreturn]] void become_successor(const std::string& program, const std::vector<int>& sockets, int ready, int counters)
{
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    std::vector<int> descriptors = sockets;
    descriptors.insert(descriptors.end(), {ready, counters}); // in this order: set_environment() says where they are
    lay_out_descriptors(std::move(descriptors));
    set_environment(sockets.size());
    std::vector<std::string> arguments = own_arguments();
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(EXIT_FAILURE); // the old process sees the pipe's end
}

} // namespace

std::string program_file()
{
    char path[PATH_MAX];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    return length < 0 ? std::string() : std::string(path, static_cast<std::size_t>(length));
}

Result<Successor> Successor::start(const std::string& program, const std::vector<int>& sockets, int counters)
{
    if (::access(program.c_str(), X_OK) != 0)
        return fail(ErrorCode::system_call, errno, program);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(ErrorCode::system_call, errno, "pipe");
    Successor successor;
    successor.ready_.reset(ends[0]);
    const UniqueFd written(ends[1]);
    successor.pid_ = ::fork();
    if (successor.pid_ < 0)
        return fail(ErrorCode::system_call, errno, "fork");
    if (successor.pid_ == 0)
        become_successor(program, sockets, written.get(), counters);
    return successor;
}

Successor::State Successor::look()
{
    char said = 0;
    const ssize_t got = ::read(ready_.get(), &said, 1);
    if (got == 1)
        return State::serves;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? State::starting : State::failed;
}

bool is_successor() { return std::getenv(kReadyVariable) != nullptr; }

namespace {

UniqueFd take_descriptor(const char* variable)
{
    const char* const text = std::getenv(variable);
    if (text == nullptr)
        return {};
    int fd = -1;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), fd);
    const bool is_number = error == std::errc() && *end == '\0' && fd >= SD_LISTEN_FDS_START;
    ::unsetenv(variable);
    if (!is_number || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return {};
    return UniqueFd(fd);
}

} // namespace

UniqueFd take_predecessor() { return take_descriptor(kReadyVariable); }

UniqueFd take_counters() { return take_descriptor(kCountersVariable); }

} // namespace safetp::supervisor
