#include "supervisor/server_process.h"

#include "process/child.h"

#include "base/ip_address.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr std::string_view kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kSetupTimeoutMs = 5000;

struct Connection {
    UniqueFd ours;
    UniqueFd theirs;
};

bool is_readable(int fd)
{
    pollfd entry{fd, POLLIN, 0};
    int result = -1;
    while ((result = ::poll(&entry, 1, kSetupTimeoutMs)) < 0 && errno == EINTR)
        continue;
    return result == 1;
}

/// Two ends of one loopback connection. Any local user may connect to the listening socket for the moment that it exists.
Result<Connection> make_connection()
{
    const Endpoint any_port{IpAddress::from_ipv4({127, 0, 0, 1}), 0};
    SocketAddress address = to_socket_address(any_port);
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener || ::bind(listener.get(), address.get(), address.length) != 0 || ::listen(listener.get(), 1) != 0)
        return fail(ErrorCode::system_call, errno, "loopback listener for the raw ftpd");
    const auto target = local_endpoint(listener.get());
    if (!target)
        return std::unexpected(target.error());

    Connection connection;
    connection.ours.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    address = to_socket_address(*target);
    const bool is_begun
        = connection.ours && (::connect(connection.ours.get(), address.get(), address.length) == 0 || errno == EINPROGRESS);
    if (!is_begun)
        return fail(ErrorCode::system_call, errno, "loopback connection to the raw ftpd");
    const auto own = local_endpoint(connection.ours.get());
    if (!own)
        return std::unexpected(own.error());
    auto theirs = accept_from(listener.get(), *own);
    if (!theirs)
        return std::unexpected(theirs.error());
    connection.theirs = std::move(*theirs);
    return connection;
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings)
{
    std::vector<char*> result;
    for (const std::string& text : strings)
        result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

/// In the child. A program must find every signal as after a login: an ignored SIGPIPE would go through exec.
/// Returns only when something failed, with errno.
int execute(const ServerProgram& program, int socket, int report)
{
    ::setsid();
    process::reset_signals(process::SignalsToService::obeyed);
    if (!process::keep_only({socket, socket, socket, report}, 0) || ::fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
        return errno;
    if (program.nice != 0) {
        [[maybe_unused]] const int now = ::nice(program.nice); // no reason to refuse: libwrap goes on too
    }
    if (program.identity) {
        if (const auto became = process::become(*program.identity); !became)
            return became.error().os_error != 0 ? became.error().os_error : EPERM;
    }
    if (::chdir(program.directory.c_str()) != 0)
        return errno;
    ::umask(program.umask);
    ::execve(program.path.c_str(), pointers_to(program.arguments).data(), pointers_to(program.environment).data());
    return errno;
}

} // namespace

Result<ServerProgram> ServerProgram::plan(const config::Server& server)
{
    ServerProgram program;
    program.path = server.command.at(0);
    program.arguments = server.command;
    if (!server.argv0.empty())
        program.arguments[0] = server.argv0;
    program.directory = server.directory.empty() ? "/" : server.directory;
    const auto who = server.user.empty() ? process::find_user(::geteuid()) : process::find_user(server.user);
    if (!who && !server.user.empty())
        return fail(ErrorCode::bad_config, 0, fmt::format("[server] user {} does not exist", server.user));
    program.environment.emplace_back(kPath);
    if (const char* zone = std::getenv("TZ"))
        program.environment.push_back(std::string("TZ=") + zone);
    if (!who)
        return program; // a number without a name, as containers have it: nothing to say about it
    program.environment.push_back("USER=" + who->name);
    program.environment.push_back("LOGNAME=" + who->name);
    program.environment.push_back("HOME=" + who->home);
    program.environment.push_back("SHELL=" + who->shell);
    if (server.user.empty() || who->uid == ::geteuid())
        return program;
    if (::geteuid() != 0)
        return fail(ErrorCode::bad_config, 0,
            fmt::format("[server] user {}: only root can start the raw ftpd as another user", server.user));
    program.identity = *who;
    return program;
}

void ServerProgram::take(const ServerEffects& effects)
{
    for (const auto& [name, value] : effects.environment) {
        std::erase_if(environment, [start = name + "="](const std::string& each) { return each.starts_with(start); });
        environment.push_back(name + "=" + value);
    }
    umask = effects.umask.value_or(umask);
    nice += effects.nice;
}

Result<UniqueFd> accept_from(int listener, const Endpoint& peer)
{
    static constexpr int kMaxStrangers = 16;
    for (int i = 0; i < kMaxStrangers; ++i) {
        if (!is_readable(listener))
            return fail(ErrorCode::system_call, ETIMEDOUT, "loopback connection to the raw ftpd");
        UniqueFd accepted(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        const auto whose = peer_endpoint(accepted.get());
        if (whose && *whose == peer)
            return accepted;
    }
    return fail(ErrorCode::system_call, ECONNABORTED, "other processes kept connecting to the raw ftpd's socket");
}

Result<StartedServer> start_server(const ServerProgram& program)
{
    auto connection = make_connection();
    if (!connection)
        return std::unexpected(connection.error());
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0)
        return fail(ErrorCode::system_call, errno, "pipe");
    const UniqueFd reader(report[0]);
    UniqueFd writer(report[1]);
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail(ErrorCode::system_call, errno, "fork");
    if (pid == 0) {
        const int error = execute(program, connection->theirs.get(), writer.get());
        [[maybe_unused]] const ssize_t told = ::write(3, &error, sizeof error);
        ::_exit(127);
    }
    writer.reset();
    connection->theirs.reset();
    // Nothing slow stands between fork and exec; the pipe closes at exec, or brings the errno that prevented it.
    int error = 0;
    const bool is_answered = is_readable(reader.get());
    const bool has_failed = is_answered && ::read(reader.get(), &error, sizeof error) == sizeof error;
    if (is_answered && !has_failed)
        return StartedServer{pid, std::move(connection->ours)};
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorCode::system_call, has_failed ? error : ETIMEDOUT, "starting " + program.path);
}

} // namespace safetp::supervisor
