#include "setup/store.h"

#include "scratch.h"
#include "setup/durable_file.h"
#include "setup/manifest.h"
#include "setup/sha256.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace safetp::setup {
namespace {

namespace fs = std::filesystem;

Change change(const Scratch& scratch, const std::string& path, const std::string& after)
{
    const auto before = read_for_change(scratch.root(), path);
    EXPECT_TRUE(before) << describe(before.error());
    return {path, before ? *before : std::nullopt, after};
}

TEST(Store, AppliesAndUndoesByteForByte)
{
    const Scratch scratch;
    scratch.write("/etc/services", std::string("ftp 21/tcp\n\0\xff no end", 20));
    scratch.write("/etc/inetd.conf", "ftp\n");
    fs::permissions(scratch.path() + "/etc/inetd.conf", fs::perms(0640));
    const auto before = scratch.everything();
    ASSERT_TRUE(apply_changes(scratch.root(),
        {change(scratch, "/etc/services", "new\n"), change(scratch, "/etc/inetd.conf", "n"),
            change(scratch, "/etc/safetp/deep/safetpd.toml", "x = 1\n")}));
    EXPECT_EQ(scratch.read("/etc/services"), "new\n");
    EXPECT_EQ(scratch.read("/etc/safetp/deep/safetpd.toml"), "x = 1\n");
    EXPECT_EQ(fs::status(scratch.path() + "/etc/inetd.conf").permissions(), fs::perms(0640));
    EXPECT_TRUE(has_manifest(scratch.root()));

    const auto undone = undo_changes(scratch.root(), false);
    ASSERT_TRUE(undone) << describe(undone.error());
    // What guards a file was changed before it, and stays until it is back.
    EXPECT_EQ(undone->restored, (std::vector<std::string>{"/etc/inetd.conf", "/etc/services"}));
    EXPECT_EQ(undone->removed, (std::vector<std::string>{"/etc/safetp/deep/safetpd.toml"}));
    EXPECT_EQ(scratch.everything(), before);
    EXPECT_FALSE(has_manifest(scratch.root()));
    EXPECT_TRUE(undo_changes(scratch.root(), false)->is_nothing());
}

TEST(Store, DoesNothingWhereNothingIsToBeDone)
{
    const Scratch scratch;
    scratch.write("/etc/a", "same");
    const auto before = scratch.everything();
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "same")}));
    EXPECT_EQ(scratch.everything(), before);
}

TEST(Store, UndoesSeveralRunsInTheirOrder)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    const auto before = scratch.everything();
    for (const char* text : {"2", "3", "4"})
        ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", text), change(scratch, "/etc/b", text)}));
    ASSERT_TRUE(undo_changes(scratch.root(), false));
    EXPECT_EQ(scratch.everything(), before);
}

TEST(Store, KeepsExtendedAttributes)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    const std::string path = scratch.path() + "/etc/a";
    if (::setxattr(path.c_str(), "user.note", "kept", 4, 0) != 0) {
        ASSERT_EQ(errno, ENOTSUP); // a file system without them has none to lose
        return;
    }
    const auto note = [&] {
        char value[16]{};
        ::getxattr(path.c_str(), "user.note", value, sizeof value);
        return std::string(value);
    };
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2")}));
    EXPECT_EQ(note(), "kept");
    ASSERT_TRUE(undo_changes(scratch.root(), false));
    EXPECT_EQ(note(), "kept");
}

TEST(Store, KeepsTheOwner)
{
    if (::geteuid() != 0) // nobody else can give a file away
        return;
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    const std::string path = scratch.path() + "/etc/a";
    ASSERT_EQ(::chown(path.c_str(), 12, 34), 0);
    ASSERT_EQ(::chmod(path.c_str(), 04750), 0);
    const auto is_as_before = [&] {
        struct stat status { };
        return ::stat(path.c_str(), &status) == 0 && status.st_uid == 12 && status.st_gid == 34
            && (status.st_mode & 07777) == 04750;
    };
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2")}));
    EXPECT_TRUE(is_as_before());
    ASSERT_TRUE(undo_changes(scratch.root(), false));
    EXPECT_TRUE(is_as_before());
    EXPECT_EQ(scratch.read("/etc/a"), "1");
}

TEST(Store, FollowsLinksWithinTheRoot)
{
    const Scratch scratch;
    scratch.write("/srv/inetd.conf", "1");
    scratch.link("/etc/inetd.conf", "/srv/inetd.conf"); // absolute: /srv of the scratch root
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/inetd.conf", "2")}));
    EXPECT_TRUE(fs::is_symlink(scratch.path() + "/etc/inetd.conf"));
    EXPECT_EQ(scratch.read("/srv/inetd.conf"), "2");
    ASSERT_TRUE(undo_changes(scratch.root(), false));
    EXPECT_EQ(scratch.read("/srv/inetd.conf"), "1");
}

TEST(Store, RefusesWhatItCannotChangeSafely)
{
    const Scratch scratch;
    scratch.link("/etc/dangling", "nowhere");
    scratch.link("/etc/circle", "circle");
    scratch.write("/etc/two", "1");
    fs::create_hard_link(scratch.path() + "/etc/two", scratch.path() + "/etc/names");
    fs::create_directories(scratch.path() + "/etc/directory");
    ASSERT_EQ(::mkfifo((scratch.path() + "/etc/pipe").c_str(), 0600), 0);
    for (const char* path : {"/etc/dangling", "/etc/circle", "/etc/two", "/etc/directory", "/etc/pipe"})
        EXPECT_FALSE(read_for_change(scratch.root(), path)) << path;
    EXPECT_TRUE(read_for_change(scratch.root(), "/etc/missing/too"));
}

TEST(Store, TakesBackWhatItDidWhenAFileIsNoLongerAsPlanned)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    scratch.write("/etc/b", "1");
    const std::vector<Change> changes{change(scratch, "/etc/a", "2"), change(scratch, "/etc/b", "2")};
    scratch.write("/etc/b", "changed by somebody");
    const auto before = scratch.everything();
    const auto applied = apply_changes(scratch.root(), changes);
    ASSERT_FALSE(applied);
    EXPECT_NE(describe(applied.error()).find("/etc/b has changed meanwhile"), std::string::npos);
    EXPECT_EQ(scratch.everything(), before);
}

TEST(Store, RefusesToUndoOverLaterChangesButForcedKeepsThem)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    scratch.write("/etc/b", "1");
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2"), change(scratch, "/etc/b", "2")}));
    scratch.write("/etc/b", "an administrator's work");
    const auto refused = undo_changes(scratch.root(), false);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().context.find("/etc/b"), std::string::npos);
    EXPECT_EQ(scratch.read("/etc/a"), "2") << "nothing was touched";
    const auto undone = undo_changes(scratch.root(), true);
    ASSERT_TRUE(undone);
    EXPECT_EQ(scratch.read("/etc/a"), "1");
    EXPECT_EQ(scratch.read("/etc/b"), "1");
    ASSERT_EQ(undone->kept.size(), 1u);
    EXPECT_EQ(scratch.read(undone->kept[0]), "an administrator's work");
}

/// However far an apply got, an undo puts everything back: the states are made by hand from a whole one.
TEST(Store, UndoesAfterACrashAnywhere)
{
    for (int replaced = 0; replaced <= 3; ++replaced) {
        const Scratch scratch;
        scratch.write("/etc/a", "1a");
        scratch.write("/etc/b", "1b");
        const auto before = scratch.everything();
        const auto a_time = fs::last_write_time(scratch.path() + "/etc/a"),
                   b_time = fs::last_write_time(scratch.path() + "/etc/b");
        ASSERT_TRUE(apply_changes(scratch.root(),
            {change(scratch, "/etc/a", "2a"), change(scratch, "/etc/b", "2b"), change(scratch, "/etc/c", "2c")}));
        if (replaced < 3)
            fs::remove(scratch.path() + "/etc/c");
        if (replaced < 2)
            scratch.write("/etc/b", "1b"), fs::last_write_time(scratch.path() + "/etc/b", b_time);
        if (replaced < 1)
            scratch.write("/etc/a", "1a"), fs::last_write_time(scratch.path() + "/etc/a", a_time);
        const auto undone = undo_changes(scratch.root(), false);
        ASSERT_TRUE(undone) << replaced << describe(undone.error());
        EXPECT_EQ(scratch.everything(), before) << replaced;
    }
}

TEST(Store, IgnoresWhatACrashLeftBeforeItsManifest)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    scratch.write("/var/lib/safetp/setup/1/1-a", "half");
    ASSERT_TRUE(undo_changes(scratch.root(), false)->is_nothing());
    EXPECT_EQ(scratch.read("/etc/a"), "1");
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2")}));
    ASSERT_TRUE(undo_changes(scratch.root(), false));
    EXPECT_EQ(scratch.read("/etc/a"), "1");
}

TEST(Store, RefusesADamagedManifestOrCopy)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    scratch.write("/etc/b", "1");
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2"), change(scratch, "/etc/b", "2")}));
    const std::string manifest = "/var/lib/safetp/setup/1/manifest", whole = scratch.read(manifest);
    scratch.write(manifest, whole.substr(0, whole.size() - 4));
    EXPECT_FALSE(undo_changes(scratch.root(), true));
    EXPECT_FALSE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "3")})) << "it would lose its number";
    scratch.write(manifest, whole);
    scratch.write("/var/lib/safetp/setup/1/1-a", "damaged");
    EXPECT_FALSE(undo_changes(scratch.root(), true));
    EXPECT_EQ(scratch.read("/etc/a"), "2");
    EXPECT_EQ(scratch.read("/etc/b"), "2") << "nothing is touched";
}

TEST(Store, LetsOnlyOneWorkAtATime)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2")}));
    const int other = ::open((scratch.path() + kStateDirectory).c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
    EXPECT_FALSE(undo_changes(scratch.root(), false));
    EXPECT_FALSE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "3")}));
    ::close(other);
    EXPECT_TRUE(undo_changes(scratch.root(), false));
}

/// Between a path's resolution and its use: a link that has come into it is an error, not a way out.
TEST(Root, GoesThroughNoLinkThatHasComeMeanwhile)
{
    const Scratch scratch, outside;
    scratch.write("/etc/a", "inside");
    outside.write("/a", "outside");
    const Root root = scratch.root();
    const auto real = root.resolve("/etc/a");
    ASSERT_TRUE(real && root.open(*real, O_RDONLY));
    fs::rename(scratch.path() + "/etc", scratch.path() + "/away");
    scratch.link("/etc", outside.path());
    EXPECT_EQ(root.open(*real, O_RDONLY).error().os_error, ELOOP);
    EXPECT_FALSE(write_durably(root, *real, "x", ""));
    EXPECT_FALSE(remove_durably(root, *real));
    EXPECT_FALSE(make_directories(root, "/etc/new", 0755));
    EXPECT_EQ(outside.read("/a"), "outside");
    EXPECT_EQ(root.read_text("/etc/a"), "") << "the link leads to what the root has of that name";
}

TEST(Root, LinksLeadAsWithinAChroot)
{
    const Scratch scratch;
    scratch.write("/srv/real", "1");
    scratch.link("/etc/absolute", "/srv/real");
    scratch.link("/etc/climbing", "../../../../srv/real");
    scratch.link("/folder", "/srv");
    for (const char* path : {"/etc/absolute", "/etc/climbing", "/folder/real", "/etc/../folder/./real"}) {
        EXPECT_EQ(scratch.root().resolve(path), "/srv/real") << path;
        EXPECT_EQ(scratch.root().read_text(path), "1") << path;
    }
    EXPECT_TRUE(Root().exists("/proc/self/stat"));
}

TEST(Store, TakesFoldersAwayThatWereMadeForItAndNoOthers)
{
    const Scratch scratch;
    scratch.write("/etc/a", "1");
    fs::create_directories(scratch.path() + "/var/lib/safetp");
    const auto before = scratch.everything();
    ASSERT_TRUE(apply_changes(scratch.root(), {change(scratch, "/etc/a", "2")}, {"run this"}));
    const auto undone = undo_changes(scratch.root(), false);
    ASSERT_TRUE(undone);
    EXPECT_EQ(undone->commands, (std::vector<std::string>{"run this"}));
    EXPECT_EQ(scratch.everything(), before) << "/var/lib/safetp was there";
    fs::create_directories(scratch.path() + "/var/.safetpd-setup-abc/lib"); // of a crash
    ASSERT_TRUE(undo_changes(scratch.root(), false)->is_nothing());
    EXPECT_EQ(scratch.everything(), before);
}

TEST(Manifest, ComesBackFromItsText)
{
    const Manifest manifest{{{"/etc/a", sha256("1"), sha256("2"), "1-a"}, {"/etc/b", "", sha256("3"), ""}}, {"/etc/safetp"}};
    EXPECT_EQ(parse_manifest(to_text(manifest), "m"), manifest);
    EXPECT_FALSE(parse_manifest("", "m"));
    EXPECT_FALSE(parse_manifest(to_text({{{"/etc/a", "", "short", ""}}, {}}), "m"));
    EXPECT_FALSE(parse_manifest(to_text({{{"/etc/a", sha256("1"), sha256("2"), "../x"}}, {}}), "m"));
    EXPECT_FALSE(parse_manifest(to_text({{{"/etc/a", sha256("1"), sha256("2"), ""}}, {}}), "m")) << "nothing to put back";
    EXPECT_FALSE(parse_manifest(to_text({{{"relative", "", sha256("2"), ""}}, {}}), "m"));
}

} // namespace
} // namespace safetp::setup
