#include "supervisor/inetd.h"

#include "base/ip_address.h"
#include "base/log.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

bool is_same_file(int left, int right)
{
    struct stat a{};
    struct stat b{};
    return ::fstat(left, &a) == 0 && ::fstat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

} // namespace

Result<InetdClient> take_inetd_client()
{
    if (!peer_endpoint(STDIN_FILENO))
        return fail(ErrorCode::supervisor, 0,
            "-s: standard input is not a TCP connection; -s is for inetd(8) and for systemd units with Accept=yes");
    InetdClient client;
    client.took_stderr = is_same_file(STDIN_FILENO, STDERR_FILENO);
    const bool took_stdout = is_same_file(STDIN_FILENO, STDOUT_FILENO);
    client.control.reset(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!client.control || !null)
        return fail(ErrorCode::system_call, errno, "/dev/null");
    ::dup2(null.get(), STDIN_FILENO);
    if (took_stdout)
        ::dup2(null.get(), STDOUT_FILENO);
    if (client.took_stderr) {
        ::dup2(null.get(), STDERR_FILENO);
        log::open({.target = log::Target::syslog});
    }
    ::fcntl(client.control.get(), F_SETFL, ::fcntl(client.control.get(), F_GETFL) | O_NONBLOCK);
    return client;
}

} // namespace safetp::supervisor
