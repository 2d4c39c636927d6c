// The real supervisor with the stand-in worker of tests/support: processes, signals, reload, requests.
#include "supervisor/supervisor.h"

#include "supervisor/exit_codes.h"
#include "process/landlock.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace safetp::supervisor {
namespace {

constexpr int kPatienceMs = 60'000; ///< a safety net only

bool is_readable(int fd)
{
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, kPatienceMs) == 1;
}

/// One TCP client of the stand-in worker.
class Client {
public:
    explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}
    static Client connect_to(const Endpoint& endpoint)
    {
        const SocketAddress address = to_socket_address(endpoint);
        UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(fd.get(), address.get(), address.length) != 0)
            fd.reset();
        return Client(std::move(fd));
    }

    bool is_connected() const { return static_cast<bool>(fd_); }
    void say(const std::string& text) { ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
    std::string line()
    {
        std::string result;
        char byte;
        while (is_readable(fd_.get()) && ::read(fd_.get(), &byte, 1) == 1 && byte != '\n')
            result += byte;
        return result;
    }
    std::string ask(const std::string& word) { return say(word), line(); }
    bool is_at_end() { return line().empty(); }
    pid_t read_pid() { return std::atoi(line().c_str()); }

private:
    UniqueFd fd_;
};

class Supervisor : public testing::Test {
protected:
    Supervisor()
    {
        char name[] = "/tmp/safetp-supervisor-test-XXXXXX";
        directory = ::mkdtemp(name);
        ::chmod(name, 0755);
        const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const SocketAddress any = to_socket_address({*IpAddress::parse("127.0.0.1"), 0});
        ::bind(probe.get(), any.get(), any.length);
        endpoint = *local_endpoint(probe.get());
        notify_path = directory + "/notify";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        notify_path.copy(address.sun_path, sizeof address.sun_path - 1);
        notify.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ::bind(notify.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }

    ~Supervisor() override
    {
        if (pid > 0) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        std::filesystem::remove_all(directory);
    }

    void write_config(const std::string& greeting, const std::string& rest = {})
    {
        const std::string path = directory + "/safetpd.toml";
        std::ofstream file(path);
        file << fmt::format("greeting = \"{}\"\n", greeting);
        file << fmt::format("[[listener]]\naddress = \"127.0.0.1\"\nport = {}\n", endpoint.port);
        file << "[data]\npassive_ports = \"20000-20099\"\n"; // below the kernel's own choices, of which `endpoint` is one
        file << fmt::format("[tls]\nkey_directory = \"{}/keys\"\n", directory);
        file << fmt::format("[log]\nlevel = \"debug\"\nxferlog = \"{}/xferlog\"\n", directory);
        file << fmt::format("[process]\nuser = \"nobody\"\nchroot = \"{}/empty\"\nworkers = 1\n", directory);
        file << rest;
        file.close();
        ::chmod(path.c_str(), 0644);
    }

    /// `in_child` runs in the new process before the supervisor does.
    void start(bool is_inetd = false, const std::function<void()>& in_child = {})
    {
        int pair[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        log.reset(pair[0]);
        const UniqueFd writer(pair[1]);
        pid = ::fork();
        ASSERT_GE(pid, 0);
        if (pid != 0)
            return;
        ::dup2(writer.get(), STDERR_FILENO);
        ::setenv("NOTIFY_SOCKET", notify_path.c_str(), 1);
        if (in_child)
            in_child();
        Options options;
        options.source.path = directory + "/safetpd.toml";
        options.is_inetd = is_inetd;
        ::_exit(supervise(options));
    }

    void start_and_wait()
    {
        start();
        ASSERT_NE(wait_for_notice("READY=1"), "");
    }

    static std::string wait_for(int fd, const std::string& text)
    {
        char buffer[8192];
        std::string seen;
        while (is_readable(fd)) {
            const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0)
                break;
            std::string message(buffer, static_cast<std::size_t>(got));
            if (message.find(text) != std::string::npos)
                return message;
            seen += message;
        }
        ADD_FAILURE() << "never came: " << text << "; instead: " << seen;
        return {};
    }
    std::string wait_for_notice(const std::string& text) { return wait_for(notify.get(), text); }
    std::string wait_for_log(const std::string& text) { return wait_for(log.get(), text); }

    int exit_code()
    {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        pid = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    Client connect() { return Client::connect_to(endpoint); }

    std::string directory;
    Endpoint endpoint;
    std::string notify_path;
    UniqueFd notify;
    UniqueFd log;
    pid_t pid = -1;
};

TEST_F(Supervisor, WorkersAreConfined)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    const pid_t worker = client.read_pid();
    EXPECT_NE(worker, pid);
    EXPECT_EQ(client.ask("uid"), fmt::format("uid {}", ::geteuid() == 0 ? 65534u : ::geteuid()));
}

#ifndef SAFETP_SANITIZED // which have no sandbox
TEST_F(Supervisor, WorkersAreSandboxed)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    client.read_pid();
    EXPECT_EQ(client.ask("open"), fmt::format("errno {}", EPERM));
    EXPECT_EQ(client.ask("udp"), fmt::format("errno {}", EPERM));
    for (const int protocol : {IPPROTO_SCTP, IPPROTO_MPTCP})
        EXPECT_EQ(client.ask(fmt::format("protocol {}", protocol)), fmt::format("errno {}", EPERM)) << protocol;
    client.say("exec");
    EXPECT_TRUE(client.is_at_end());
    wait_for_log("killed by signal 31");
}
#endif

TEST_F(Supervisor, WorkersConnectOnlyToPortsThatTheyNeed)
{
    write_config("one", "[server]\nport = 351\n");
    start_and_wait();
    Client client = connect();
    client.read_pid();
    const std::string nobody = fmt::format("errno {}", ECONNREFUSED);
    const std::string forbidden = process::landlock_version() >= 4 ? fmt::format("errno {}", EACCES) : nobody;
    for (const int port : {351, 113}) // the raw ftpd, ident
        EXPECT_EQ(client.ask(fmt::format("connect {}", port)), nobody) << port;
    for (const int port : {1, 25, 445, 1023})
        EXPECT_EQ(client.ask(fmt::format("connect {}", port)), forbidden) << port;
    EXPECT_EQ(client.ask(fmt::format("connect {}", endpoint.port)), "errno 0"); // where data connections go
}

TEST_F(Supervisor, StartsADeadWorkerAgainOnTheSameQueue)
{
    write_config("one");
    start_and_wait();
    Client first = connect();
    const pid_t worker = first.read_pid();
    ::kill(worker, SIGKILL);
    EXPECT_TRUE(first.is_at_end());
    Client second = connect();
    EXPECT_NE(second.read_pid(), worker);
    wait_for_log("killed by signal 9");
    // As root the worker is another user's process, which this test may still signal; the supervisor outlives it in any case.
    EXPECT_EQ(second.ask("ping"), "pong");
}

TEST_F(Supervisor, ReloadsByGenerationAndLetsTheOldOneDrain)
{
    write_config("one");
    start_and_wait();
    Client old_client = connect();
    EXPECT_TRUE(old_client.line().ends_with(" one"));
    write_config("two");
    ::kill(pid, SIGHUP);
    wait_for_notice("RELOADING=1");
    wait_for_notice("generation 2");
    // The old worker may still take what it was about to accept, so it is asked until the new one answers.
    std::string greeting;
    for (int i = 0; i < 1000 && !greeting.ends_with(" two"); ++i)
        greeting = connect().line();
    EXPECT_TRUE(greeting.ends_with(" two")) << greeting;
    EXPECT_EQ(old_client.ask("ping"), "pong");
    old_client = Client(UniqueFd());
    wait_for_log("worker ended with status 0");
}

TEST_F(Supervisor, BadReloadChangesNothing)
{
    write_config("one");
    start_and_wait();
    write_config("two", "no_such_key = 1\n");
    ::kill(pid, SIGHUP);
    wait_for_notice("STATUS=Reload failed");
    wait_for_log("no_such_key");
    EXPECT_TRUE(connect().line().ends_with(" one"));
}

TEST_F(Supervisor, ReloadMovesListenersOnlyWhereTheyChanged)
{
    write_config("one");
    start_and_wait();
    const Endpoint old_endpoint = endpoint;
    const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = to_socket_address({endpoint.address, 0});
    ::bind(probe.get(), any.get(), any.length);
    // Taken by the probe: the reload must fail and the old listener stay.
    ::listen(probe.get(), 1);
    endpoint = *local_endpoint(probe.get());
    write_config("two");
    ::kill(pid, SIGHUP);
    EXPECT_NE(wait_for_notice("Reload failed").find("Address already in use"), std::string::npos);
    EXPECT_TRUE(Client::connect_to(old_endpoint).line().ends_with(" one"));
}

TEST_F(Supervisor, TermLetsSessionsEndFirst)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    client.line();
    ::kill(pid, SIGTERM);
    wait_for_notice("STOPPING=1");
    EXPECT_EQ(client.ask("ping"), "pong");
    client = Client(UniqueFd());
    EXPECT_EQ(exit_code(), kExitOk);
    EXPECT_FALSE(connect().is_connected());
}

TEST_F(Supervisor, TermCutsOffWhatDoesNotEnd)
{
    write_config("one", "[timeouts]\ndrain = 0\n");
    start_and_wait();
    Client client = connect();
    client.line();
    ::kill(pid, SIGTERM);
    EXPECT_TRUE(client.is_at_end());
    EXPECT_EQ(exit_code(), kExitOk);
}

TEST_F(Supervisor, IntEndsAtOnce)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    client.line();
    ::kill(pid, SIGINT);
    EXPECT_EQ(exit_code(), kExitOk);
    EXPECT_TRUE(client.is_at_end());
}

TEST_F(Supervisor, KilledSupervisorTakesItsWorkersAlong)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    client.line();
    ::kill(pid, SIGKILL);
    EXPECT_TRUE(client.is_at_end());
    EXPECT_EQ(exit_code(), -SIGKILL);
}

TEST_F(Supervisor, MalformedRequestEndsTheWorker)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    const pid_t worker = client.read_pid();
    client.say("bad");
    wait_for_log("malformed request");
    EXPECT_TRUE(client.is_at_end());
    EXPECT_NE(connect().read_pid(), worker);
}

TEST_F(Supervisor, RequestsWithoutEndDoNotKeepItFromSignals)
{
    write_config("one", "[server]\ncommand = [\"/bin/true\"]\n[limits]\nsessions = 100000\n");
    start_and_wait();
    Client client = connect();
    client.line();
    EXPECT_EQ(client.ask("flood"), "it rises");
    ::kill(pid, SIGINT);
    EXPECT_EQ(exit_code(), kExitOk);
}

TEST_F(Supervisor, RequestThatTheConfigurationDoesNotAllowEndsTheWorker)
{
    write_config("one");
    start_and_wait();
    Client client = connect();
    client.line();
    client.say("server");
    wait_for_log("none is configured");
    EXPECT_TRUE(client.is_at_end());
}

TEST_F(Supervisor, StartsTheRawFtpdOnRequest)
{
    write_config("one", "[server]\ncommand = [\"/bin/echo\", \"220 ready\"]\n");
    start_and_wait();
    for (int i = 0; i < 20; ++i) {
        Client client = connect();
        client.line();
        EXPECT_EQ(client.ask("server"), "220 ready");
    }
    wait_for_log("started raw ftpd ended with status 0");
}

TEST_F(Supervisor, Usr1ReopensTheXferlog)
{
    write_config("one");
    start_and_wait();
    const std::filesystem::path current = directory + "/xferlog";
    const std::filesystem::path rotated = directory + "/xferlog.1";
    Client client = connect();
    client.line();
    EXPECT_EQ(client.ask("xfer"), "wrote 2");
    EXPECT_EQ(std::filesystem::file_size(current), 2u);
    std::filesystem::rename(current, rotated);
    ::kill(pid, SIGUSR1);
    bool has_new = false;
    for (int i = 0; i < 100'000 && !has_new; ++i) {
        client.ask("xfer");
        std::error_code error;
        has_new = std::filesystem::exists(current) && std::filesystem::file_size(current, error) > 0 && !error;
    }
    EXPECT_TRUE(has_new);
}

TEST_F(Supervisor, ReloadReopensTheXferlogForOlderWorkersToo)
{
    write_config("one");
    start_and_wait();
    const std::filesystem::path current = directory + "/xferlog";
    Client client = connect();
    client.line();
    EXPECT_EQ(client.ask("xfer"), "wrote 2");
    std::filesystem::rename(current, directory + "/xferlog.1");
    ::kill(pid, SIGHUP);
    wait_for_notice("generation 2"); // sent after the notice to the old worker, which may still be about to read it
    for (int i = 0; i < 100'000 && std::filesystem::file_size(current) == 0; ++i)
        EXPECT_EQ(client.ask("xfer"), "wrote 2");
    EXPECT_GT(std::filesystem::file_size(current), 0u);
}

TEST_F(Supervisor, InheritedSocketIsUsedInsteadOfAPort)
{
    UniqueFd inherited(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = to_socket_address({endpoint.address, 0});
    ::bind(inherited.get(), any.get(), any.length);
    ::listen(inherited.get(), 16);
    write_config("one");
    start(false, [&] {
        const UniqueFd high(::fcntl(inherited.get(), F_DUPFD, 20));
        ::dup2(high.get(), 3);
        ::setenv("LISTEN_FDS", "1", 1);
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    });
    wait_for_notice("READY=1");
    EXPECT_FALSE(connect().is_connected());
    EXPECT_TRUE(Client::connect_to(*local_endpoint(inherited.get())).line().ends_with(" one"));
}

TEST_F(Supervisor, InetdModeServesItsOneConnection)
{
    write_config("one");
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = to_socket_address({endpoint.address, 0});
    ::bind(listener.get(), any.get(), any.length);
    ::listen(listener.get(), 1);
    Client client = Client::connect_to(*local_endpoint(listener.get()));
    const UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
    start(true, [&] {
        ::dup2(accepted.get(), 0);
        ::dup2(accepted.get(), 1);
    });
    EXPECT_TRUE(client.line().ends_with(" one"));
    client.say("exit 5");
    EXPECT_EQ(exit_code(), 5);
}

TEST_F(Supervisor, InetdModeNeedsAConnection)
{
    write_config("one");
    start(true, [] { ::dup2(::open("/dev/null", O_RDONLY), 0); });
    wait_for_log("not a TCP connection");
    EXPECT_EQ(exit_code(), kExitUsage);
}

TEST_F(Supervisor, TakenPortIsSaidWithItsRemedy)
{
    const UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress address = to_socket_address(endpoint);
    const int yes = 1;
    ::setsockopt(taken.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ::setsockopt(taken.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes); // what another safetpd would do
    ASSERT_EQ(::bind(taken.get(), address.get(), address.length), 0);
    ASSERT_EQ(::listen(taken.get(), 1), 0);
    write_config("one");
    start();
    wait_for_log("choose another port");
    EXPECT_EQ(exit_code(), kExitPortUnavailable);
}

TEST_F(Supervisor, BadConfigurationIsSaidBeforeAnythingIsOpened)
{
    write_config("one", "[limits]\nsesions = 1\n[nonsense]\n");
    start();
    wait_for_log("sesions");
    wait_for_log("nonsense");
    EXPECT_EQ(exit_code(), kExitConfig);
    EXPECT_FALSE(std::filesystem::exists(directory + "/keys"));
}

TEST_F(Supervisor, UnknownWorkerUserIsAConfigurationError)
{
    write_config("one");
    std::ifstream in(directory + "/safetpd.toml");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    text.replace(text.find("nobody"), 6, "no-such-user-here");
    std::ofstream(directory + "/safetpd.toml") << text;
    start();
    if (::geteuid() != 0) { // the worker stays who he is, and the setting is of no account
        wait_for_notice("READY=1");
        return;
    }
    wait_for_log("useradd");
    EXPECT_EQ(exit_code(), kExitConfig);
}

TEST_F(Supervisor, RootThatIsNotEmptyIsRefused)
{
    write_config("one");
    std::filesystem::create_directories(directory + "/empty/something");
    start();
    if (::geteuid() != 0) { // only root can go there
        wait_for_notice("READY=1");
        return;
    }
    wait_for_log("empty");
    EXPECT_EQ(exit_code(), kExitConfig);
}

} // namespace
} // namespace safetp::supervisor
