// A child enters, and tries; what the running kernel does not know is allowed.
#include "process/landlock.h"

#include "base/ip_address.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace safetp::process {
namespace {

/// The errno of `attempt` in a child that is confined like this.
int try_confined(FileAccess files, const std::optional<PortRanges>& ports, const std::function<bool()>& attempt)
{
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        confine_helper(files, ports);
        ::_exit(attempt() ? 0 : errno);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool reads() { return ::open("/etc/passwd", O_RDONLY) >= 0; }
bool lists() { return ::open("/etc", O_RDONLY | O_DIRECTORY) >= 0; }
bool writes() { return ::open("/tmp/safetp-landlock-test", O_WRONLY | O_CREAT, 0600) >= 0; }
bool executes() { return ::execl("/bin/true", "true", static_cast<char*>(nullptr)) == 0; }

int if_known(int since, int os_error) { return landlock_version() >= since ? os_error : 0; }

TEST(Landlock, LeavesNoFile)
{
    for (const auto& attempt : {reads, lists, executes})
        EXPECT_EQ(try_confined(FileAccess::none, PortRanges(), attempt), if_known(1, EACCES));
    if (landlock_version() >= 1) {
        EXPECT_EQ(try_confined(FileAccess::none, PortRanges(), writes), EACCES);
    }
}

TEST(Landlock, MayLeaveReading)
{
    EXPECT_EQ(try_confined(FileAccess::reading, std::nullopt, reads), 0);
    EXPECT_EQ(try_confined(FileAccess::reading, std::nullopt, lists), 0);
    EXPECT_EQ(try_confined(FileAccess::reading, std::nullopt, executes), if_known(1, EACCES));
    if (landlock_version() >= 1) {
        EXPECT_EQ(try_confined(FileAccess::reading, std::nullopt, writes), EACCES);
    }
}

class Listening : public testing::Test {
protected:
    Listening()
    {
        const SocketAddress any = to_socket_address({*IpAddress::parse("127.0.0.1"), 0});
        ::bind(socket.get(), any.get(), any.length);
        ::listen(socket.get(), 8);
        port = local_endpoint(socket.get())->port;
    }

    bool connects() const
    {
        const SocketAddress address = to_socket_address({*IpAddress::parse("127.0.0.1"), port});
        const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
        return ::connect(fd.get(), address.get(), address.length) == 0;
    }

    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::uint16_t port = 0;
};

TEST_F(Listening, PortIsReachedOnlyWhereItIsNamed)
{
    const auto attempt = [this] { return connects(); };
    EXPECT_EQ(try_confined(FileAccess::none, PortRanges{{port, port}}, attempt), 0);
    EXPECT_EQ(try_confined(FileAccess::none, PortRanges{{1024, 65535}}, attempt), 0);
    EXPECT_EQ(try_confined(FileAccess::none, std::nullopt, attempt), 0);
    EXPECT_EQ(try_confined(FileAccess::none, PortRanges{{1, 1}}, attempt), if_known(4, EACCES));
    EXPECT_EQ(try_confined(FileAccess::none, PortRanges(), attempt), if_known(4, EACCES));
}

TEST(Landlock, LeavesNoAbstractSocketOfOthers)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "safetp-landlock-test-" + std::to_string(::getpid());
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    ::listen(listener.get(), 1);
    const auto attempt = [&] {
        const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
        return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
    };
    EXPECT_EQ(try_confined(FileAccess::none, PortRanges(), attempt), if_known(6, EPERM));
}

TEST(Landlock, SaysWhatItDoes)
{
    const std::string text = describe_landlock({{113, 113}, {1024, 65535}});
    EXPECT_NE(text.find("Landlock"), std::string::npos);
    EXPECT_EQ(text.find("113, 1024-65535") != std::string::npos, landlock_version() >= 4) << text;
}

} // namespace
} // namespace safetp::process
