#include "supervisor/server_process.h"

#include "base/ip_address.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace safetp::supervisor {
namespace {

std::string read_all(int fd)
{
    std::string all;
    char buffer[4096];
    pollfd entry{fd, POLLIN, 0};
    while (::poll(&entry, 1, 30'000) == 1) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got <= 0)
            break;
        all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
}

/// What /bin/sh, as the raw ftpd, writes to its standard output.
std::string output_of(const std::string& script, const std::string& argv0 = "in.ftpd")
{
    config::Server server;
    server.command = {"/bin/sh", "-c", script, "-l", "-a"};
    server.argv0 = argv0;
    const auto program = ServerProgram::plan(server);
    EXPECT_TRUE(program) << describe(program.error());
    auto started = start_server(*program);
    EXPECT_TRUE(started);
    if (!started)
        return {};
    std::string output = read_all(started->our_end.get());
    EXPECT_EQ(::waitpid(started->pid, nullptr, 0), started->pid);
    return output;
}

TEST(ServerProcess, DescriptorsAreOneInetSocketAndNothingElse)
{
    // dash opens nothing of its own with -c; ls does, and names it "3".
    EXPECT_EQ(output_of("for i in 0 1 2; do readlink /proc/$$/fd/$i; done | sed 's/:.*//'"), "socket\nsocket\nsocket\n");
    EXPECT_EQ(output_of("ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ");
}

UniqueFd connect_to(const Endpoint& endpoint)
{
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress address = to_socket_address(endpoint);
    EXPECT_EQ(::connect(fd.get(), address.get(), address.length), 0);
    return fd;
}

TEST(ServerProcess, AStrangerOfThisHostIsNotTakenForUs)
{
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = to_socket_address({IpAddress::from_ipv4({127, 0, 0, 1}), 0});
    ASSERT_EQ(::bind(listener.get(), any.get(), any.length), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    const Endpoint where = *local_endpoint(listener.get());
    const UniqueFd stranger = connect_to(where);
    const UniqueFd ours = connect_to(where);
    const auto accepted = accept_from(listener.get(), *local_endpoint(ours.get()));
    ASSERT_TRUE(accepted);
    EXPECT_EQ(*peer_endpoint(accepted->get()), *local_endpoint(ours.get()));
    EXPECT_EQ(read_all(stranger.get()), "") << "it is closed";
}

TEST(ServerProcess, BothEndsAreOneLoopbackConnection)
{
    config::Server server;
    server.command = {"/bin/cat"};
    auto started = start_server(*ServerProgram::plan(server));
    ASSERT_TRUE(started);
    const auto peer = peer_endpoint(started->our_end.get());
    ASSERT_TRUE(peer);
    EXPECT_TRUE(peer->address.is_loopback());
    ASSERT_EQ(::send(started->our_end.get(), "hello", 5, 0), 5);
    ::shutdown(started->our_end.get(), SHUT_WR);
    EXPECT_EQ(read_all(started->our_end.get()), "hello");
    EXPECT_EQ(::waitpid(started->pid, nullptr, 0), started->pid);
}

TEST(ServerProcess, ArgumentsAreAsConfigured)
{
    EXPECT_EQ(output_of("tr '\\0' ' ' < /proc/$$/cmdline | sed 's/-c .*-l/-c ... -l/'"), "in.ftpd -c ... -l -a ");
}

TEST(ServerProcess, EnvironmentIsMinimal)
{
    ::setenv("SECRET_OF_THE_SUPERVISOR", "x", 1);
    ::setenv("NOTIFY_SOCKET_TEST", "x", 1);
    const std::string environment = output_of("tr '\\0' '\\n' < /proc/$$/environ");
    EXPECT_EQ(environment.find("SECRET"), std::string::npos);
    EXPECT_EQ(environment.find("NOTIFY"), std::string::npos);
    EXPECT_EQ(environment.rfind("PATH=/", 0), 0u) << environment;
    EXPECT_NE(environment.find("\nHOME="), std::string::npos);
    EXPECT_NE(environment.find("\nLOGNAME="), std::string::npos);
    ::unsetenv("SECRET_OF_THE_SUPERVISOR");
    ::unsetenv("NOTIFY_SOCKET_TEST");
}

TEST(ServerProcess, SignalsAreAtTheirDefaults)
{
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    EXPECT_EQ(output_of("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'"),
        "SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
    ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
}

TEST(ServerProcess, RunsAsTheConfiguredUserWithItsGroups)
{
    const bool is_root = ::geteuid() == 0;
    const passwd& account = is_root ? *::getpwnam("nobody") : *::getpwuid(::geteuid()); // all that others can become
    config::Server server;
    server.command = {"/bin/sh", "-c", "id -un; id -g; pwd; echo $HOME $USER; grep Umask /proc/self/status; id -G"};
    server.user = account.pw_name;
    server.directory = "/usr";
    const std::string expected
        = fmt::format("{0}\n{1}\n/usr\n{2} {0}\nUmask:\t0022\n{1}", account.pw_name, account.pw_gid, account.pw_dir);
    auto started = start_server(*ServerProgram::plan(server));
    ASSERT_TRUE(started);
    const std::string output = read_all(started->our_end.get());
    EXPECT_TRUE(output.starts_with(expected)) << output;
    const bool has_other_groups = output != expected + "\n";
    EXPECT_FALSE(is_root && has_other_groups) << "root's own: " << output;
    EXPECT_EQ(::waitpid(started->pid, nullptr, 0), started->pid);
}

TEST(ServerProcess, SaysWhyAProgramCannotBeStarted)
{
    config::Server server;
    server.command = {"/nonexistent/ftpd"};
    EXPECT_EQ(start_server(*ServerProgram::plan(server)).error().os_error, ENOENT);
    server.command = {"/etc/passwd"};
    EXPECT_EQ(start_server(*ServerProgram::plan(server)).error().os_error, EACCES);
    server.command = {"/bin/cat"};
    server.directory = "/nonexistent";
    EXPECT_EQ(start_server(*ServerProgram::plan(server)).error().os_error, ENOENT);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left behind";
}

TEST(ServerProcess, RefusesUsersThatItCannotBecome)
{
    config::Server server;
    server.command = {"/bin/cat"};
    server.user = "no-such-user-here";
    EXPECT_EQ(ServerProgram::plan(server).error().code, ErrorCode::bad_config);
    if (::geteuid() == 0)
        return;
    server.user = "root";
    EXPECT_EQ(ServerProgram::plan(server).error().code, ErrorCode::bad_config);
}

} // namespace
} // namespace safetp::supervisor
