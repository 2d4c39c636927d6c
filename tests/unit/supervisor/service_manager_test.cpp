#include "supervisor/service_manager.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace safetp::supervisor {
namespace {

class Manager : public testing::Test {
protected:
    Manager()
    {
        std::string pattern = "/tmp/safetp-manager-XXXXXX";
        directory = ::mkdtemp(pattern.data());
        listen(directory + "/notify");
    }
    ~Manager() override
    {
        ::unlink((directory + "/notify").c_str());
        ::rmdir(directory.c_str());
        ::unsetenv("NOTIFY_SOCKET");
    }

    void listen(const std::string& path)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, path.size());
        auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
        if (path[0] == '@')
            address.sun_path[0] = '\0';
        socket.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
        ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    }

    std::string read()
    {
        char text[1024];
        const ssize_t got = ::recv(socket.get(), text, sizeof text, MSG_DONTWAIT);
        return got < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(got));
    }

    std::string directory;
    UniqueFd socket;
    ServiceManager manager;
};

TEST_F(Manager, HearsEachNotice)
{
    manager.tell("READY=1");
    manager.tell("STOPPING=1");
    EXPECT_EQ(read(), "READY=1");
    EXPECT_EQ(read(), "STOPPING=1");
    EXPECT_EQ(manager.descriptor(), -1);
}

TEST_F(Manager, MayListenOnAnAbstractSocket)
{
    listen("@safetp-manager-test-" + std::to_string(::getpid()));
    manager.tell("READY=1");
    EXPECT_EQ(read(), "READY=1");
}

// sd_notify() would wait here for ever.
TEST_F(Manager, ThatReadsNothingHoldsNobodyUp)
{
    for (int i = 0; i < 10'000; ++i)
        manager.tell("STATUS=" + std::to_string(i));
    EXPECT_GE(manager.descriptor(), 0);
    std::string last;
    for (int i = 0; i < 10'000 && last != "STATUS=9999"; ++i) {
        pollfd room{manager.descriptor(), POLLOUT, 0};
        last = read();
        if (room.fd >= 0 && ::poll(&room, 1, 0) == 1)
            manager.send_pending();
    }
    EXPECT_EQ(last, "STATUS=9999") << "what is new is not lost";
    EXPECT_EQ(manager.descriptor(), -1);
}

TEST_F(Manager, ThatIsGoneIsNoReasonToWait)
{
    socket.reset();
    manager.tell("READY=1");
    EXPECT_EQ(manager.descriptor(), -1);
    ::unsetenv("NOTIFY_SOCKET");
    manager.tell("READY=1");
    EXPECT_EQ(manager.descriptor(), -1);
}

TEST_F(Manager, ThatIsStartedAnewIsFoundAgain)
{
    manager.tell("READY=1");
    socket.reset();
    ::unlink((directory + "/notify").c_str());
    listen(directory + "/notify");
    manager.tell("STATUS=Running");
    EXPECT_EQ(read(), "STATUS=Running");
}

} // namespace
} // namespace safetp::supervisor
