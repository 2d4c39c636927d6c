#include "client/watched_command.h"

#include "client/exit_codes.h"
#include "client/watch_filter.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) // since Linux 5.19, seccomp(2)
#endif

namespace safetp::client {

namespace {

constexpr int kExitCannotExecute = 126;
constexpr int kExitNotFound = 127;

[[noreturn]] void give_up(int code, const std::string& what)
{
    const std::string line = "safetp: " + what + ": " + std::strerror(errno) + "\n";
    const auto ignored = ::write(STDERR_FILENO, line.data(), line.size());
    static_cast<void>(ignored);
    ::_exit(code);
}

/// From here on every connect(2) of this process and its children waits for an answer. -1: errno.
int install(std::vector<sock_filter> program)
{
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    const sock_fprog rules{static_cast<unsigned short>(program.size()), program.data()};
    // Without the second flag a signal may come between the connection that is made and the answer, and connect(2), begun anew
    // by the kernel, finds the socket connected already.
    constexpr unsigned long kFlags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    const auto calls = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kFlags, &rules);
    if (calls >= 0 || errno != EINVAL)
        return static_cast<int>(calls);
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &rules));
}

struct Parcel {
    char byte = 0;
    iovec content{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};

    Parcel()
    {
        message.msg_iov = &content;
        message.msg_iovlen = 1;
        message.msg_control = space.data();
        message.msg_controllen = space.size();
    }
    Parcel(const Parcel&) = delete;
};

bool send_descriptor(int socket, int fd)
{
    Parcel parcel;
    cmsghdr* const header = CMSG_FIRSTHDR(&parcel.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return ::sendmsg(socket, &parcel.message, MSG_NOSIGNAL) == 1;
}

/// -1: the other end is gone.
UniqueFd receive_descriptor(int socket)
{
    Parcel parcel;
    ssize_t bytes = 0;
    do
        bytes = ::recvmsg(socket, &parcel.message, MSG_CMSG_CLOEXEC);
    while (bytes < 0 && errno == EINTR);
    const cmsghdr* const header = bytes == 1 ? CMSG_FIRSTHDR(&parcel.message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        return UniqueFd();
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
}

[[noreturn]] void become(const std::vector<std::string>& words, const sigset_t& mask, int socket)
{
    std::signal(SIGPIPE, SIG_DFL); // which safetp ignores
    std::signal(SIGXFSZ, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    std::vector<char*> arguments;
    for (const std::string& word : words)
        arguments.push_back(const_cast<char*>(word.c_str())); // execvp(3) changes none of them
    arguments.push_back(nullptr);
    std::vector<sock_filter> filter = make_watch_filter();
    if (filter.empty())
        errno = ENOSYS;
    const UniqueFd calls(filter.empty() ? -1 : install(std::move(filter)));
    if (!calls && errno == EBUSY)
        give_up(kExitFailure, "this runs under a watcher already (safetp run within safetp run, or a container)");
    if (!calls)
        give_up(kExitFailure, "the kernel does not let us watch the command's connections (seccomp)");
    if (!send_descriptor(socket, calls.get()))
        give_up(kExitFailure, "cannot begin to watch the command");
    ::execvp(arguments.front(), arguments.data());
    give_up(errno == ENOENT ? kExitNotFound : kExitCannotExecute, "cannot run " + words.front());
}

} // namespace

Result<WatchedCommand> start_watched(const std::vector<std::string>& words, const sigset_t& mask)
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(ErrorCode::system_call, errno, "socketpair");
    const UniqueFd ours(ends[0]);
    UniqueFd its(ends[1]);
    WatchedCommand command;
    command.pid = ::fork();
    if (command.pid < 0)
        return fail(ErrorCode::system_call, errno, "fork");
    if (command.pid == 0)
        become(words, mask, its.get());
    its.reset();
    command.calls = receive_descriptor(ours.get());
    return command;
}

} // namespace safetp::client
