#include "supervisor/upgrade.h"

#include "process/child.h"

#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr const char* kLineVariable = "SAFETP_PREDECESSOR_FD";
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
    for (const char* const name : {"LISTEN_FDNAMES", "LISTEN_PIDFDID"}) // of the old process
        ::unsetenv(name);
    if (std::getenv("WATCHDOG_PID") != nullptr)
        ::setenv("WATCHDOG_PID", own_pid.c_str(), 1);
    ::setenv(kLineVariable, std::to_string(first_behind).c_str(), 1);
    ::setenv(kCountersVariable, std::to_string(first_behind + 1).c_str(), 1);
}

[[noreturn]] void become_successor(const std::string& program, const std::vector<int>& sockets, int line, int counters)
{
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    std::vector<int> descriptors = sockets; // at 3, 4, ..., where sd_listen_fds(3) expects them
    descriptors.insert(descriptors.end(), {line, counters}); // in this order: set_environment() says where they are
    if (!process::keep_only(descriptors, SD_LISTEN_FDS_START))
        ::_exit(EXIT_FAILURE);
    set_environment(sockets.size());
    std::vector<std::string> arguments = own_arguments();
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(EXIT_FAILURE); // the old process sees the line's end
}

/// The new process's parent for a moment, which leaves it an orphan. It ends when its number has been used.
[[noreturn]] void become_parent(
    const std::string& program, const std::vector<int>& sockets, int line, int report, int counters)
{
    const pid_t pid = ::fork();
    if (pid == 0)
        become_successor(program, sockets, line, counters);
    char nothing = 0;
    if (pid > 0 && ::write(report, &pid, sizeof pid) == sizeof pid)
        [[maybe_unused]] const ssize_t end = ::read(report, &nothing, 1);
    ::_exit(EXIT_SUCCESS);
}

std::optional<std::pair<UniqueFd, UniqueFd>> make_pair(int type)
{
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
        return {};
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

} // namespace

std::string program_file()
{
    char path[PATH_MAX];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    return length < 0 ? std::string() : std::string(path, static_cast<std::size_t>(length));
}

void Neighbour::say(Word word)
{
    if (line_)
        [[maybe_unused]] const ssize_t said = ::send(line_.get(), &word, sizeof word, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::optional<Neighbour::Word> Neighbour::hear()
{
    char byte = 0;
    ssize_t got = -1;
    while ((got = ::recv(line_.get(), &byte, sizeof byte, MSG_DONTWAIT)) < 0 && errno == EINTR)
        continue;
    if (got == 1)
        return static_cast<Word>(byte);
    if (got == 0 || errno != EAGAIN)
        line_.reset();
    return {};
}

std::optional<Neighbour::Word> word_for(Cause cause)
{
    switch (cause) {
    case Cause::term: return Neighbour::Word::term;
    case Cause::interrupt: return Neighbour::Word::interrupt;
    case Cause::reload: return Neighbour::Word::reload;
    case Cause::reopen: return Neighbour::Word::reopen;
    default: return {};
    }
}

std::optional<Cause> cause_of(Neighbour::Word word)
{
    switch (word) {
    case Neighbour::Word::ready: return Cause::successor_ready;
    case Neighbour::Word::handed_over: return Cause::handed_over;
    case Neighbour::Word::term: return Cause::term;
    case Neighbour::Word::interrupt: return Cause::interrupt;
    case Neighbour::Word::reload: return Cause::reload;
    case Neighbour::Word::reopen: return Cause::reopen;
    }
    return {}; // of a version that knows more words
}

Result<Successor> Successor::start(const std::string& program, const std::vector<int>& sockets, int counters)
{
    if (::getpid() == 1)
        return fail(ErrorCode::supervisor, 0, "this is the first process of its container, which ends with it");
    if (::access(program.c_str(), X_OK) != 0)
        return fail(ErrorCode::system_call, errno, program);
    auto line = make_pair(SOCK_SEQPACKET | SOCK_NONBLOCK);
    auto report = make_pair(SOCK_STREAM);
    if (!line || !report)
        return fail(ErrorCode::system_call, errno, "socketpair");
    const pid_t parent = ::fork();
    if (parent < 0)
        return fail(ErrorCode::system_call, errno, "fork");
    if (parent == 0) {
        report->first.reset();
        become_parent(program, sockets, line->second.get(), report->second.get(), counters);
    }
    report->second.reset();
    Successor successor;
    successor.line = Neighbour(std::move(line->first));
    const bool is_born = ::read(report->first.get(), &successor.pid, sizeof successor.pid) == sizeof successor.pid;
    if (is_born) // while its parent waits, so that the number is still its own
        successor.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, successor.pid, 0)));
    const int error = errno;
    report->first.reset();
    ::waitpid(parent, nullptr, 0);
    if (successor.process)
        return successor;
    return fail(ErrorCode::system_call, is_born ? error : EAGAIN, is_born ? "pidfd_open" : "fork");
}

void Successor::kill() const { ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0); }

bool is_successor() { return std::getenv(kLineVariable) != nullptr; }

namespace {

int descriptor_in(const char* variable)
{
    const char* const text = std::getenv(variable);
    if (text == nullptr)
        return -1;
    int fd = -1;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), fd);
    return error == std::errc() && *end == '\0' && fd >= SD_LISTEN_FDS_START ? fd : -1;
}

UniqueFd take_descriptor(const char* variable)
{
    UniqueFd taken(descriptor_in(variable));
    ::unsetenv(variable);
    if (::fcntl(taken.get(), F_SETFD, FD_CLOEXEC) != 0)
        taken.release(); // not open
    return taken;
}

} // namespace

std::vector<int> descriptors_of_predecessor() { return {descriptor_in(kLineVariable), descriptor_in(kCountersVariable)}; }

Neighbour take_predecessor() { return Neighbour(take_descriptor(kLineVariable)); }

UniqueFd take_counters() { return take_descriptor(kCountersVariable); }

} // namespace safetp::supervisor
