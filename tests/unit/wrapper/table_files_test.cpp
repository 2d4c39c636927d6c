#include "wrapper/table_files.h"

#include "base/unique_fd.h"
#include "wrapper/temporary_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace safetp::wrapper {

namespace {

using access::Reading;
using State = access::FileText::State;

TEST(ReadTables, TakesBothTablesAndEveryFileThatTheyName)
{
    const TemporaryDirectory directory;
    const std::string nested = directory.write("nested", "192.0.2.3\n");
    const std::string friends = directory.write("friends", "192.0.2.2\n" + nested + "\n" + (directory / "gone"));
    std::filesystem::create_directory(directory / "banners");
    const std::string banner = directory.write("banners/in.ftpd", "Hello\n");
    const TablePaths paths{directory.write("hosts.allow", "in.ftpd: " + friends + "\n"),
        directory.write("hosts.deny", "ALL: ALL: banners " + (directory / "banners") + "\n")};

    const Snapshot snapshot = read_tables(paths, Reading::safe, {"in.ftpd"});
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
    Snapshot snapshot = read_tables(paths, Reading::safe, {});
    for (auto& [path, mark] : snapshot.fingerprint)
        mark.is_young = false;
    EXPECT_FALSE(has_changed(snapshot.fingerprint));
    directory.write("later", "192.0.2.1\n");
    EXPECT_TRUE(has_changed(snapshot.fingerprint));
}

TEST(ReadTables, SaysWhichFilesAreBeingWritten)
{
    const TemporaryDirectory directory;
    const std::string friends = directory.write("friends", "192.0.2.1\n");
    const TablePaths paths{directory.write("hosts.allow", "ALL: " + friends + "\n"), directory.write("hosts.deny", "")};
    UniqueFd writer(::open(friends.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(read_tables(paths, Reading::safe, {}).unsettled, std::vector{friends});
    writer.reset();
    EXPECT_TRUE(read_tables(paths, Reading::safe, {}).unsettled.empty());
}

} // namespace

} // namespace safetp::wrapper
