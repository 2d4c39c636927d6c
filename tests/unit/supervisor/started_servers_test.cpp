#include "supervisor/started_servers.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {
namespace {

using Clock = StartedServers::Clock;
using std::chrono::seconds;

class StartedServersTest : public testing::Test {
protected:
    ~StartedServersTest() override
    {
        servers.kill_all();
        while (::waitpid(-1, nullptr, 0) > 0)
            continue;
    }

    /// A process as start_server() makes one, with a child, both of which do what SIGTERM wants or not.
    pid_t start(bool obeys_sigterm, const SessionName& session)
    {
        int ready[2];
        EXPECT_EQ(::pipe(ready), 0);
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::setsid();
            if (!obeys_sigterm)
                ::signal(SIGTERM, SIG_IGN);
            if (::fork() == 0)
                ::prctl(PR_SET_PDEATHSIG, 0);
            [[maybe_unused]] const ssize_t told = ::write(ready[1], "", 1);
            for (;;)
                ::pause();
        }
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        EXPECT_EQ(::read(ready[0], &byte, 1), 1); // both are there
        ::close(ready[0]);
        ::close(ready[1]);
        EXPECT_TRUE(servers.reserve(session, client, limits));
        servers.add(pid, session, client);
        return pid;
    }

    /// What it ended by; its whole process group is gone then.
    int ended_by(pid_t pid)
    {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_TRUE(servers.on_child_end(pid));
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }

    config::Limits limits;
    IpAddress client = *IpAddress::parse("192.0.2.1");
    SharedCounters counters = *SharedCounters::make();
    StartedServers servers{counters};
};

TEST_F(StartedServersTest, OneEndsAfterItsSessionWhenTheGraceIsOver)
{
    const pid_t pid = start(true, {1, 7});
    const pid_t other = start(true, {2, 7});
    EXPECT_EQ(servers.deadline(), std::nullopt);
    servers.on_session_end({1, 8}, seconds(60));
    EXPECT_EQ(servers.deadline(), std::nullopt) << "not its session";
    servers.on_session_end({1, 7}, seconds(60));
    servers.on_deadline(Clock::now());
    EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0) << "it may be writing still";
    servers.on_deadline(*servers.deadline());
    EXPECT_EQ(ended_by(pid), SIGTERM);
    EXPECT_EQ(::waitpid(other, nullptr, WNOHANG), 0);
    EXPECT_FALSE(servers.is_empty());
}

TEST_F(StartedServersTest, OneThatIgnoresSigtermIsKilled)
{
    const pid_t pid = start(false, {1, 7});
    servers.on_worker_end(1, seconds(5));
    const auto due = *servers.deadline();
    servers.on_deadline(due);
    EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
    servers.on_session_end({1, 7}, seconds(60)); // changes nothing any more
    ASSERT_EQ(*servers.deadline(), due + StartedServers::kKillAfter);
    servers.on_deadline(*servers.deadline());
    EXPECT_EQ(ended_by(pid), SIGKILL);
    EXPECT_TRUE(servers.is_empty());
    EXPECT_EQ(servers.deadline(), std::nullopt);
}

TEST_F(StartedServersTest, OurOwnEndWaitsForNoneForLong)
{
    start(false, {1, 7});
    start(false, {1, 8});
    servers.on_session_end({1, 7}, seconds(600));
    servers.on_our_end();
    EXPECT_LE(*servers.deadline(), Clock::now() + StartedServers::kAtOurEnd);
    servers.on_session_end({1, 8}, seconds(600));
    const auto due = *servers.deadline();
    servers.on_deadline(due + StartedServers::kAtOurEnd);
    EXPECT_LE(*servers.deadline(), due + StartedServers::kAtOurEnd + StartedServers::kKillAfter);
}

TEST_F(StartedServersTest, AClientIsChargedUntilItsRawFtpdHasEnded)
{
    limits.sessions_per_client = 1;
    const pid_t pid = start(true, {1, 7});
    servers.on_session_end({1, 7}, seconds(0));
    EXPECT_FALSE(servers.reserve({1, 8}, client, limits));
    servers.on_deadline(Clock::now() + seconds(1));
    ended_by(pid);
    EXPECT_TRUE(servers.reserve({1, 8}, client, limits));
    servers.give_back({1, 8}, client);
    EXPECT_TRUE(servers.reserve({1, 8}, client, limits));
}

TEST_F(StartedServersTest, ThoseThatAreTriedOnlyAreNoClients)
{
    limits.sessions_per_client = 1;
    for (int i = 0; i < StartedServers::kProbes; ++i)
        start(true, {1, 0});
    EXPECT_FALSE(servers.reserve({1, 0}, client, limits));
    EXPECT_TRUE(servers.reserve({1, 8}, client, limits));
    servers.on_session_end({1, 0}, StartedServers::kStrangers);
    EXPECT_TRUE(servers.deadline());
}

} // namespace
} // namespace safetp::supervisor
