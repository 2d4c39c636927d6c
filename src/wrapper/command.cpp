#include "wrapper/command.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

constexpr int kCannotStart = 127;

[[noreturn]] void run_child(const char* command, CommandStreams streams)
{
    ::signal(SIGHUP, SIG_IGN);
    if (streams == CommandStreams::null_device) {
        const int null = ::open("/dev/null", O_RDWR);
        if (null < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(null, STDOUT_FILENO) < 0 || ::dup2(null, STDERR_FILENO) < 0)
            ::_exit(kCannotStart);
        if (null > STDERR_FILENO)
            ::close(null);
    }
    ::execl("/bin/sh", "sh", "-c", command, nullptr);
    ::_exit(kCannotStart);
}

} // namespace

CommandEnd run_command(const std::string& command, CommandStreams streams)
{
    // A caller that ignores SIGCHLD, as some inetd do, would never be told how its child ended.
    struct sigaction standard{};
    struct sigaction before{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &standard, &before);
    const pid_t child = ::fork();
    if (child == 0) {
        ::sigaction(SIGCHLD, &before, nullptr);
        run_child(command.c_str(), streams);
    }
    int status = 0;
    pid_t ended = -1;
    if (child > 0) {
        do
            ended = ::waitpid(child, &status, 0);
        while (ended < 0 && errno == EINTR);
    }
    ::sigaction(SIGCHLD, &before, nullptr);
    if (ended < 0)
        return {};
    if (WIFSIGNALED(status))
        return {.exit_status = 0, .killed_by = WTERMSIG(status), .process_id = child};
    return {.exit_status = WEXITSTATUS(status), .killed_by = 0, .process_id = child};
}

int become_command(const std::string& command, int connection)
{
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fd != connection && ::dup2(connection, fd) < 0)
            return errno;
    }
    if (connection > STDERR_FILENO)
        ::close(connection);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    return errno;
}

} // namespace safetp::wrapper
