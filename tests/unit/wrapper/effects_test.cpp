#include "wrapper/effects.h"

#include "base/unique_fd.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace safetp::wrapper {

namespace {

/// Effects are a process's for good: each in a child of its own. Its answer is the exit status, below 256.
int in_child(const std::function<int()>& work)
{
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(work());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

template <typename T>
T socket_option(int fd, int option)
{
    T value{};
    socklen_t length = sizeof value;
    EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, option, &value, &length), 0);
    return value;
}

TEST(Effects, SetSocketOptions)
{
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Effects effects(socket.get());
    EXPECT_EQ(effects.apply(access::ApplyKeepalive{}), 0);
    EXPECT_EQ(socket_option<int>(socket.get(), SO_KEEPALIVE), 1);
    EXPECT_EQ(effects.apply(access::ApplyLinger{10}), 0);
    EXPECT_EQ(socket_option<linger>(socket.get(), SO_LINGER).l_linger, 10);
    EXPECT_EQ(socket_option<linger>(socket.get(), SO_LINGER).l_onoff, 1);
    EXPECT_EQ(effects.apply(access::ApplyLinger{0}), 0);
    EXPECT_EQ(socket_option<linger>(socket.get(), SO_LINGER).l_onoff, 0);
    EXPECT_FALSE(effects.has_identity_failed());
}

TEST(Effects, SayWhyTheyFailed)
{
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    Effects effects(null.get());
    EXPECT_EQ(effects.apply(access::ApplyKeepalive{}), ENOTSOCK);
    EXPECT_EQ(effects.apply(access::ApplyLinger{1}), ENOTSOCK);
    EXPECT_EQ(effects.apply(access::SendBanner{"Hello\r\n"}), ENOTSOCK);
    EXPECT_EQ(effects.apply(access::ApplySetenv{"a=b", "c"}), EINVAL);
}

TEST(Effects, ChangeTheProcess)
{
    EXPECT_EQ(in_child([] {
        Effects effects(0);
        const bool applied = effects.apply(access::ApplyUmask{0077}) == 0 && effects.apply(access::ApplyNice{3}) == 0
            && effects.apply(access::ApplySetenv{"TW", "value"}) == 0;
        const char* value = ::getenv("TW");
        const bool is_set = value != nullptr && std::string(value) == "value";
        return applied && is_set && ::umask(0) == 0077 && ::getpriority(PRIO_PROCESS, 0) >= 3 ? 0 : 1;
    }), 0);
}

TEST(Effects, NiceMayGoBelowZero)
{
    EXPECT_EQ(in_child([] {
        Effects effects(0);
        errno = ENOENT;
        const int error = effects.apply(access::ApplyNice{-1}); // nice(2) then gives -1 although it worked
        return error == EPERM ? 0 : error;                      // not every root may, in a container
    }), 0);
}

TEST(Effects, KnowWhoDoesNotExist)
{
    Effects effects(0);
    EXPECT_EQ(effects.apply(access::ApplyUser{"nobody-of-that-name", "", true}), ENOENT);
    EXPECT_EQ(effects.apply(access::ApplyGroup{"nobody-of-that-name", true}), ENOENT);
    EXPECT_EQ(effects.apply(access::ApplyUser{"root", "", true}), 0);
    EXPECT_FALSE(effects.has_identity_failed()); // nothing was to be taken
    EXPECT_EQ(effects.apply(access::ApplyUser{"nobody-of-that-name", "", false}), ENOENT);
    EXPECT_TRUE(effects.has_identity_failed());
}

TEST(Effects, RememberAnIdentityThatCouldNotBeTaken)
{
    EXPECT_EQ(in_child([] {
        if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0)
            return 1;
        Effects effects(0);
        const bool refused = effects.apply(access::ApplyUser{"root", "", false}) == EPERM;
        return refused && effects.has_identity_failed() ? 0 : 2;
    }), 0);
}

TEST(Effects, SendAWholeBanner)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    UniqueFd connection(ends[0]);
    const UniqueFd client(ends[1]);
    const std::string text(3'000'000, 'x'); // more than any socket's buffer
    std::size_t received = 0;
    std::thread reader([&] {
        std::vector<char> buffer(65536);
        for (ssize_t count = 0; (count = ::read(client.get(), buffer.data(), buffer.size())) > 0;)
            received += static_cast<std::size_t>(count);
    });
    const int error = Effects(connection.get()).apply(access::SendBanner{text});
    connection.reset();
    reader.join();
    EXPECT_EQ(error, 0);
    EXPECT_EQ(received, text.size());
}

TEST(Effects, TellOfAClientThatIsGone)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd connection(ends[0]);
    ::close(ends[1]);
    EXPECT_EQ(Effects(connection.get()).apply(access::SendBanner{"Hello\r\n"}), EPIPE); // and no signal
}

} // namespace

} // namespace safetp::wrapper
