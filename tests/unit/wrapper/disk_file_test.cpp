#include "wrapper/disk_file.h"

#include "base/unique_fd.h"
#include "wrapper/temporary_directory.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

namespace fs = std::filesystem;
using State = access::FileText::State;

/// Waits until a file written a moment ago is no longer young; returns whether it came to that.
bool grows_old(const std::string& path)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (mark_of(path).is_young) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
    }
    return true;
}

TEST(ReadFile, TakesTextAsItStands)
{
    const TemporaryDirectory directory;
    const std::string text("ALL: ALL\r\n\0x", 12);
    const auto file = read_file(directory.write("table", text));
    EXPECT_EQ(file.state, State::text);
    EXPECT_EQ(file.text, text);
    EXPECT_EQ(read_file(directory.write("empty", "")).state, State::text);
    const std::string long_text(3'000'000, 'x');
    EXPECT_EQ(read_file(directory.write("long", long_text)).text, long_text);
}

TEST(ReadFile, TellsMissingFromUnreadable)
{
    const TemporaryDirectory directory;
    EXPECT_EQ(read_file(directory / "none").state, State::missing);
    fs::create_symlink(directory / "none", directory / "dangling");
    EXPECT_EQ(read_file(directory / "dangling").state, State::missing);
    EXPECT_EQ(read_file(directory / "none/table").state, State::missing);

    fs::create_symlink(directory / "loop", directory / "loop");
    const auto loop = read_file(directory / "loop");
    EXPECT_EQ(loop.state, State::unreadable);
    EXPECT_EQ(loop.os_error, ELOOP);
    directory.write("file", "");
    const auto below_file = read_file(directory / "file/table");
    EXPECT_EQ(below_file.state, State::unreadable);
    EXPECT_EQ(below_file.os_error, ENOTDIR);
    const auto long_name = read_file(directory / std::string(300, 'n'));
    EXPECT_EQ(long_name.state, State::unreadable);
    EXPECT_EQ(long_name.os_error, ENAMETOOLONG);
}

TEST(ReadFile, KnowsDirectoriesAndDevices)
{
    const TemporaryDirectory directory;
    fs::create_directory(directory / "directory");
    EXPECT_EQ(read_file(directory / "directory").state, State::directory);
    EXPECT_EQ(read_file("/dev/null").state, State::text);
    EXPECT_EQ(read_file("/dev/null").text, "");
    EXPECT_EQ(read_file("/dev/zero").state, State::unreadable);
    ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(directory / "fifo").state, State::unreadable); // an empty table would let everybody in
}

TEST(ReadFile, RefusesWhatIsTooLarge)
{
    const TemporaryDirectory directory;
    const std::string path = directory.write("huge", "");
    fs::resize_file(path, kMaxFileBytes + 1); // a hole: no space is taken
    const auto file = read_file(path);
    EXPECT_EQ(file.state, State::unreadable);
    EXPECT_EQ(file.os_error, EFBIG);
}

TEST(WritersOf, SeesWhoHasTheFileOpenForWriting)
{
    const TemporaryDirectory directory;
    const std::string path = directory.write("table", "ALL: ALL\n");
    EXPECT_EQ(writers_of(path), Writers::none);
    UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(writers_of(path), Writers::none);
    UniqueFd writer(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    EXPECT_EQ(writers_of(path), Writers::some);
    writer.reset();
    EXPECT_EQ(writers_of(path), Writers::none);
    EXPECT_EQ(writers_of(directory / "none"), Writers::none);
    EXPECT_EQ(writers_of("/dev/null"), Writers::none);
}

TEST(WritersOf, SaysWhereItCannotTell)
{
    const bool is_root = ::geteuid() == 0;
    if (is_root) { // leases are for the owner, and for who has CAP_LEASE
        ASSERT_EQ(::seteuid(65534), 0);
    }
    const Writers writers = writers_of("/etc/passwd");
    if (is_root) {
        ASSERT_EQ(::seteuid(0), 0);
    }
    EXPECT_EQ(writers, Writers::cannot_tell);
}

TEST(HasChanged, NoticesEveryKindOfChange)
{
    const TemporaryDirectory directory;
    const std::string path = directory.write("table", "ALL: ALL\n");
    ASSERT_TRUE(grows_old(path));
    const Fingerprint before{{path, mark_of(path)}};
    EXPECT_FALSE(has_changed(before));

    directory.write("table", "ALL: ANY\n"); // the same size
    EXPECT_TRUE(has_changed(before));

    ASSERT_TRUE(grows_old(path));
    const Fingerprint rewritten{{path, mark_of(path)}};
    directory.write("new", "ALL: ANY\n");
    fs::last_write_time(directory / "new", fs::last_write_time(path));
    fs::rename(directory / "new", path); // the same text, size and mtime: another file
    EXPECT_TRUE(has_changed(rewritten));

    ASSERT_TRUE(grows_old(path));
    const Fingerprint renamed{{path, mark_of(path)}};
    fs::permissions(path, fs::perms::owner_read);
    EXPECT_TRUE(has_changed(renamed));
    fs::remove(path);
    EXPECT_TRUE(has_changed(renamed));
}

TEST(HasChanged, NoticesFilesThatAppearAndLinksThatTurn)
{
    const TemporaryDirectory directory;
    const Fingerprint missing{{directory / "table", mark_of(directory / "table")}};
    EXPECT_FALSE(has_changed(missing));
    directory.write("table", "");
    EXPECT_TRUE(has_changed(missing));

    const std::string first = directory.write("first", "");
    const std::string second = directory.write("second", "");
    fs::create_symlink(first, directory / "link");
    ASSERT_TRUE(grows_old(first) && grows_old(second));
    const Fingerprint link{{directory / "link", mark_of(directory / "link")}};
    EXPECT_FALSE(has_changed(link));
    fs::remove(directory / "link");
    fs::create_symlink(second, directory / "link");
    EXPECT_TRUE(has_changed(link));
}

TEST(HasChanged, AsksOnceMoreForAYoungFile)
{
    const TemporaryDirectory directory;
    const std::string path = directory.write("table", "");
    Fingerprint fingerprint{{path, mark_of(path)}};
    fingerprint[path].is_young = true;
    EXPECT_TRUE(has_changed(fingerprint)); // a second change within one tick of the kernel's clock has the same time
    fingerprint[path].is_young = false;
    EXPECT_FALSE(has_changed(fingerprint));
}

} // namespace

} // namespace safetp::wrapper
