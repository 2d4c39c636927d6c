#include "supervisor/pid_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::supervisor {
namespace {

namespace fs = std::filesystem;

class PidFileTest : public testing::Test {
protected:
    PidFileTest()
    {
        std::string pattern = (fs::temp_directory_path() / "safetp-pid-XXXXXX").string();
        directory = ::mkdtemp(pattern.data());
        path = directory / "safetpd.pid";
    }
    ~PidFileTest() override { fs::remove_all(directory); }

    void put(const std::string& text) { std::ofstream(path) << text; }
    std::string text() const
    {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string own() const { return std::to_string(::getpid()) + "\n"; }
    void expect_refusal(const std::string& why)
    {
        PidFile file(path);
        const auto written = file.write();
        ASSERT_FALSE(written);
        EXPECT_NE(describe(written.error()).find(why), std::string::npos) << describe(written.error());
    }

    fs::path directory;
    fs::path path;
};

TEST_F(PidFileTest, LivesAsLongAsTheProcess)
{
    {
        PidFile file(path);
        ASSERT_TRUE(file.write());
        EXPECT_EQ(text(), own());
        struct stat status{};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777, 0644u);
    }
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(fs::is_empty(directory));
}

TEST_F(PidFileTest, OfACrashIsWrittenOver)
{
    put("99999\n");
    PidFile file(path);
    ASSERT_TRUE(file.write());
    EXPECT_EQ(text(), own());
}

TEST_F(PidFileTest, IsTakenAwayOnlyByTheProcessThatItNames)
{
    {
        PidFile file(path);
        ASSERT_TRUE(file.write());
        put("1\n");
    }
    EXPECT_EQ(text(), "1\n");
}

TEST_F(PidFileTest, FollowsNoLink)
{
    const fs::path victim = directory / "victim";
    std::ofstream(victim) << "precious";
    fs::create_symlink(victim, path);
    expect_refusal("symbolic link");
    std::ifstream file(victim);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
}

TEST_F(PidFileTest, TakesTheNameOfNoOtherFile)
{
    put("root:x:0:0\n");
    expect_refusal("something else than a process id");
    EXPECT_EQ(text(), "root:x:0:0\n");
    fs::remove(path);
    fs::create_directory(path);
    expect_refusal("no regular file");
    fs::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); // and waits for nobody
    expect_refusal("no regular file");
}

TEST_F(PidFileTest, LeavesASecondNameOfAFileAlone)
{
    put("1\n");
    fs::create_hard_link(path, directory / "other");
    PidFile file(path);
    ASSERT_TRUE(file.write());
    std::ifstream other(directory / "other");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(other), {}), "1\n");
}

} // namespace
} // namespace safetp::supervisor
