#include "wrapper/table_files.h"

#include "base/unique_fd.h"
#include "wrapper/temporary_directory.h"

#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <set>
#include <thread>

namespace safetp::wrapper {

namespace {

using access::Reading;
using State = access::FileText::State;

/// Reads until the files have come to rest, as a program does.
Snapshot read_settled(const TablePaths& paths, const std::vector<std::string>& daemons = {})
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
        Snapshot snapshot = read_tables(paths, Reading::safe, daemons);
        if (snapshot.unsettled.empty() || std::chrono::steady_clock::now() > deadline)
            return snapshot;
    }
}

TEST(ReadTables, TakesBothTablesAndEveryFileThatTheyName)
{
    const TemporaryDirectory directory;
    const std::string nested = directory.write("nested", "192.0.2.3\n");
    const std::string friends = directory.write("friends", "192.0.2.2\n" + nested + "\n" + (directory / "gone"));
    std::filesystem::create_directory(directory / "banners");
    const std::string banner = directory.write("banners/in.ftpd", "Hello\n");
    const TablePaths paths{directory.write("hosts.allow", "in.ftpd: " + friends + "\n"),
        directory.write("hosts.deny", "ALL: ALL: banners " + (directory / "banners") + "\n")};

    const Snapshot snapshot = read_settled(paths, {"in.ftpd"});
    EXPECT_EQ(snapshot.files.allow_path, paths.allow);
    EXPECT_EQ(snapshot.files.allow.text, "in.ftpd: " + friends + "\n");
    EXPECT_EQ(snapshot.files.deny.state, State::text);
    ASSERT_TRUE(snapshot.files.others.contains(friends));
    ASSERT_TRUE(snapshot.files.others.contains(nested));
    EXPECT_EQ(snapshot.files.others.at(nested).text, "192.0.2.3\n");
    ASSERT_TRUE(snapshot.files.others.contains(banner));
    EXPECT_EQ(snapshot.files.others.at(banner).text, "Hello\n");
    ASSERT_TRUE(snapshot.files.others.contains(directory / "gone"));
    EXPECT_EQ(snapshot.files.others.at(directory / "gone").state, State::missing);
    for (const std::string& path : {paths.allow, paths.deny, friends, nested, banner, directory / "gone"})
        EXPECT_TRUE(snapshot.fingerprint.contains(path)) << path;
    EXPECT_TRUE(snapshot.unsettled.empty());
}

TEST(ReadTables, EndsWithAFileThatNamesItself)
{
    const TemporaryDirectory directory;
    const std::string self = directory / "self";
    directory.write("self", self + " " + self + "\n");
    const TablePaths paths{directory.write("hosts.allow", "ALL: " + self + "\n"), directory / "hosts.deny"};
    const Snapshot snapshot = read_tables(paths, Reading::safe, {});
    EXPECT_EQ(snapshot.files.others.count(self), 1u);
    EXPECT_EQ(snapshot.files.deny.state, State::missing);
}

TEST(ReadTables, SeesANestedFileAppear)
{
    const TemporaryDirectory directory;
    const std::string later = directory / "later";
    const TablePaths paths{directory.write("hosts.allow", "ALL: " + later + "\n"), directory / "hosts.deny"};
    const Snapshot snapshot = read_settled(paths);
    EXPECT_FALSE(has_changed(snapshot.fingerprint));
    directory.write("later", "192.0.2.1\n");
    EXPECT_TRUE(has_changed(snapshot.fingerprint));
}

TEST(ReadTables, SaysWhichFilesAreBeingWritten)
{
    const TemporaryDirectory directory;
    const std::string friends = directory.write("friends", "192.0.2.1\n");
    const TablePaths paths{directory.write("hosts.allow", "ALL: " + friends + "\n"), directory.write("hosts.deny", "")};
    EXPECT_TRUE(read_settled(paths).unsettled.empty());
    UniqueFd writer(::open(friends.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(read_tables(paths, Reading::safe, {}).unsettled, std::vector{friends});
    writer.reset();
    EXPECT_TRUE(read_settled(paths).unsettled.empty());
}

TEST(ReadTables, NeverTakesHalfAFileForAWholeOne)
{
    const TemporaryDirectory directory;
    const std::string whole(200'000, 'x');
    const TablePaths paths{directory / "hosts.allow", directory.write("hosts.deny", whole)};
    std::atomic<bool> is_over = false;
    std::thread writer([&] { // in place, truncated first, the worst way of all; with pauses in which the file rests
        while (!is_over) {
            directory.write("hosts.deny", whole);
            std::this_thread::sleep_for(std::chrono::milliseconds(80));
        }
    });
    std::set<std::int64_t> versions; // of the table, by the times of their changes
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (versions.size() < 15 && std::chrono::steady_clock::now() < deadline) {
        const Snapshot snapshot = read_tables(paths, Reading::safe, {});
        if (!snapshot.unsettled.empty())
            continue;
        versions.insert(snapshot.fingerprint.at(paths.deny).changed_ns);
        EXPECT_EQ(snapshot.files.deny.text.size(), whole.size());
    }
    is_over = true;
    writer.join();
    EXPECT_GT(versions.size(), 1u);
}

} // namespace

} // namespace safetp::wrapper
