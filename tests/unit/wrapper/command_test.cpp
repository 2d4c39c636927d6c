#include "wrapper/command.h"

#include "wrapper/temporary_directory.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

std::string text_of(const std::string& path)
{
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

TEST(RunCommand, SaysHowItEnded)
{
    EXPECT_EQ(run_command("exit 0", CommandStreams::null_device).exit_status, 0);
    EXPECT_EQ(run_command("exit 3", CommandStreams::null_device).exit_status, 3);
    EXPECT_EQ(run_command("/nothing/there", CommandStreams::null_device).exit_status, 127);
    const CommandEnd killed = run_command("kill -KILL $$", CommandStreams::null_device);
    EXPECT_EQ(killed.killed_by, SIGKILL);
    EXPECT_GT(killed.process_id, 0);
}

TEST(RunCommand, GivesItNothingToReadAndNowhereToWrite)
{
    const TemporaryDirectory directory;
    const std::string path = directory / "streams";
    const auto end = run_command(
        "for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done >" + path, CommandStreams::null_device);
    EXPECT_EQ(end.exit_status, 0);
    EXPECT_EQ(text_of(path), "/dev/null\n" + path + "\n/dev/null\n");
}

TEST(RunCommand, LeavesOtherChildrenAlone)
{
    const pid_t other = ::fork();
    if (other == 0)
        ::_exit(5);
    EXPECT_EQ(run_command("exit 0", CommandStreams::null_device).exit_status, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(other, &status, 0), other);
    EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST(RunCommand, LearnsTheStatusEvenWhereChildrenAreIgnored)
{
    struct sigaction before{};
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignored, &before);
    const int status = run_command("exit 4", CommandStreams::null_device).exit_status;
    struct sigaction after{};
    ::sigaction(SIGCHLD, &before, &after);
    EXPECT_EQ(status, 4);
    EXPECT_EQ(after.sa_handler, SIG_IGN); // as it was
}

} // namespace

} // namespace safetp::wrapper
