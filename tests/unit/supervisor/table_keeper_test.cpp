// Real files, real children; what the keeper says to whom, and when.
#include "supervisor/table_keeper.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {
namespace {

namespace fs = std::filesystem;

class Keeper : public testing::Test {
protected:
    Keeper()
    {
        std::string pattern = (fs::temp_directory_path() / "safetp-keeper-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
        config_.access.hosts_allow = directory_ / "allow";
        config_.access.hosts_deny = directory_ / "deny";
    }
    ~Keeper() override { fs::remove_all(directory_); }

    void write(const std::string& name, const std::string& text) { std::ofstream(directory_ / name) << text; }
    void start() { keeper_.configure(config_, {}); }

    /// Waits for one child of ours and tells the keeper. False: there is none.
    bool serve_child()
    {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, 0);
        return pid > 0 && keeper_.on_child_end(pid, status);
    }

    TableAnswer ask(std::uint64_t held = 0)
    {
        const std::size_t before = answers_.size();
        keeper_.ask({1, static_cast<std::uint32_t>(before), held});
        while (answers_.size() == before && serve_child()) { }
        EXPECT_EQ(answers_.size(), before + 1);
        return answers_.back();
    }

    /// Until the files are old enough for one look to be enough.
    std::uint64_t settled()
    {
        std::uint64_t version = ask().version;
        for (std::uint64_t next = ask(version).version; next != version; next = ask(version).version)
            version = next;
        return version;
    }

    fs::path directory_;
    config::Config config_;
    std::vector<TableAnswer> answers_;
    TableKeeper keeper_{[this](const TableAnswer& answer) { answers_.push_back(answer); }};
};

TEST_F(Keeper, GivesAVersionOnceAndThenSaysThatItHolds)
{
    start();
    const TableAnswer first = ask();
    EXPECT_EQ(first.os_error, 0);
    EXPECT_GE(first.image, 0);
    const std::uint64_t version = settled();
    EXPECT_EQ(ask(version).image, -1);
    EXPECT_GE(ask(0).image, 0) << "another worker, which has none";
    EXPECT_EQ(keeper_.image(version), ask(0).image);
    EXPECT_EQ(keeper_.image(version + 100), -1);
}

// A worker that was taken over asks without end while the tables are being read, which may take a minute.
TEST_F(Keeper, RemembersNoMoreQuestionsThanThereAreSessions)
{
    config_.limits.sessions = 100;
    start();
    for (std::uint32_t id = 0; id < 10'000; ++id)
        keeper_.ask({1, id, 0});
    EXPECT_GT(answers_.size(), 9'000u) << "refused at once";
    for (const TableAnswer& answer : answers_)
        EXPECT_EQ(answer.os_error, EBUSY);
    while (answers_.size() < 10'000 && serve_child()) { }
    EXPECT_EQ(answers_.size(), 10'000u);
    EXPECT_EQ(answers_.back().os_error, 0);
}

TEST_F(Keeper, EveryChangeIsANewVersion)
{
    start();
    std::uint64_t version = settled();
    for (const char* text : {"ALL: ALL\n", "ALL: 192.0.2.1\n", "ALL: 192.0.2.2\n"}) {
        write("deny", text);
        const TableAnswer answer = ask(version);
        EXPECT_GT(answer.version, version) << text;
        EXPECT_GE(answer.image, 0);
        version = answer.version;
    }
    fs::remove(directory_ / "deny");
    EXPECT_GT(ask(version).version, version);
}

TEST_F(Keeper, AFileThatWasOnlyTouchedIsNoNewVersion)
{
    write("deny", "ALL: ALL\n");
    start();
    const std::uint64_t version = settled();
    write("deny", "ALL: ALL\n");
    EXPECT_EQ(ask(version).image, -1);
}

TEST_F(Keeper, WhoComesWhileTheFilesAreReadGetsNothingOlder)
{
    start();
    const std::uint64_t version = settled();
    write("deny", "ALL: ALL\n");
    const std::size_t before = answers_.size();
    keeper_.ask({1, 100, version});
    siginfo_t ended{};
    ASSERT_EQ(::waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT), 0); // the reader has looked; the keeper does not know yet
    write("deny", "ALL: 192.0.2.1\n");
    keeper_.ask({2, 101, version});
    while (answers_.size() < before + 2 && serve_child()) { }
    ASSERT_EQ(answers_.size(), before + 2);
    EXPECT_EQ(answers_[before].asker.id, 100u);
    EXPECT_EQ(answers_[before + 1].asker.id, 101u);
    EXPECT_GT(answers_[before].version, version);
    EXPECT_GT(answers_[before + 1].version, answers_[before].version) << "the edit came before the second one asked";
}

/// Workers map it all the time and believe it.
TEST_F(Keeper, NobodyCanChangeWhatIsGivenOut)
{
    start();
    const int image = ask().image;
    ASSERT_GE(image, 0);
    struct stat about { };
    ASSERT_EQ(::fstat(image, &about), 0);
    EXPECT_EQ(::pwrite(image, "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(image, 0), -1);
    EXPECT_EQ(::ftruncate(image, about.st_size + 1), -1);
    EXPECT_EQ(::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, image, 0), MAP_FAILED);
}

TEST_F(Keeper, AWriterIsWaitedForAndThenNobodyComesIn)
{
    start();
    settled();
    std::ofstream writer(directory_ / "deny");
    EXPECT_EQ(ask().os_error, EBUSY);
    writer.close();
    EXPECT_EQ(ask().os_error, 0);
}

TEST_F(Keeper, TheLastGoodTablesCanStay)
{
    config_.access.bad_table = config::BadTable::keep;
    write("deny", "ALL: ALL\n");
    start();
    const std::uint64_t good = settled();
    write("deny", "no colon\n");
    EXPECT_EQ(ask(good).image, -1);
    std::ofstream writer(directory_ / "deny");
    EXPECT_EQ(ask(good).image, -1);
    writer.close();
    write("deny", "ALL: 192.0.2.1\n");
    EXPECT_GT(ask(good).version, good);
}

TEST_F(Keeper, TheLastGoodTablesAreNotThoseOfOtherFiles)
{
    config_.access.bad_table = config::BadTable::keep;
    start();
    const std::uint64_t good = settled();
    config_.access.hosts_deny = directory_ / "other";
    write("other", "no colon\n");
    keeper_.configure(config_, {});
    EXPECT_GT(ask(good).version, good);
}

TEST_F(Keeper, BrokenTablesThatNeverWereGoodAreUsedAsTheyAre)
{
    config_.access.bad_table = config::BadTable::keep;
    fs::create_directory(directory_ / "deny");
    start();
    EXPECT_GE(ask().image, 0); // its evaluation refuses everybody
}

TEST_F(Keeper, AChildThatDiesLetsNobodyInAndIsFollowedByAnother)
{
    start();
    settled();
    write("deny", "ALL: ALL\n");
    std::ofstream writer(directory_ / "allow"); // keeps the reader waiting
    keeper_.ask({1, 7, 0});
    const auto limit = keeper_.deadline();
    ASSERT_TRUE(limit);
    keeper_.on_deadline(*limit);
    ASSERT_TRUE(serve_child());
    EXPECT_EQ(answers_.back().os_error, EIO);
    writer.close();
    EXPECT_EQ(ask().os_error, 0);
}

TEST_F(Keeper, AnotherConfigurationIsReadAnew)
{
    start();
    const std::uint64_t version = settled();
    config_.access.hosts_deny = directory_ / "other";
    start();
    EXPECT_GT(ask(version).version, version);
}

TEST(TableTrouble, NamesFileAndLine)
{
    access::TableFiles files;
    EXPECT_EQ(find_trouble(files, access::Reading::safe), "");
    files.allow = {access::FileText::State::text, "# ok\nALL: ALL\nno colon\n", 0};
    files.deny = {access::FileText::State::directory, "", 0};
    files.others["/f"] = {access::FileText::State::unreadable, "", EACCES};
    EXPECT_EQ(find_trouble(files, access::Reading::safe), "/etc/hosts.deny is a directory; "
        "/etc/hosts.allow:3: there is no \":\" in this line; /f cannot be read: Permission denied");
    files = {};
    files.deny = {access::FileText::State::text, "ALL: ALL\nALL: 192.0.2.1", 0};
    EXPECT_NE(find_trouble(files, access::Reading::strict).find("/etc/hosts.deny:2: "), std::string::npos);
}

} // namespace
} // namespace safetp::supervisor
