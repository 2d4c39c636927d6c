#include "config/trusted_path.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::config {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kStranger = 65534; // nobody

class TrustedPath : public testing::Test {
protected:
    TrustedPath()
    {
        std::string pattern = (fs::temp_directory_path() / "safetp-trust-XXXXXX").string();
        top = ::mkdtemp(pattern.data());
        fs::create_directories(top / "a" / "b");
        file = top / "a" / "b" / "file";
        std::ofstream(file) << "x";
        for (const fs::path& place : {top, top / "a", top / "a" / "b"})
            ::chmod(place.c_str(), 0755);
        ::chmod(file.c_str(), 0644);
    }
    ~TrustedPath() override { fs::remove_all(top); }

    void expect_good(const fs::path& path) { EXPECT_EQ(find_distrust(path).value_or("good"), "good"); }
    void expect_bad(const fs::path& path, const std::string& why)
    {
        EXPECT_NE(find_distrust(path).value_or("good").find(why), std::string::npos) << find_distrust(path).value_or("good");
    }

    fs::path top;
    fs::path file;
};

TEST_F(TrustedPath, IsRootsOrTheCallersAllTheWay)
{
    expect_good(file);
    expect_good(top / "a" / ".." / "a" / "." / "b" / "file");
    expect_good("/");
    ::chmod((top / "a").c_str(), 0757);
    expect_bad(file, (top / "a").string() + " may be written by everybody");
    ::chmod((top / "a").c_str(), 01777); // where only its owner may rename a thing
    expect_good(file);
    ::chmod(file.c_str(), 0646);
    expect_bad(file, "file may be written by everybody");
    ::chmod(file.c_str(), 0664);
    expect_bad(file, "file may be written by its group");
}

TEST_F(TrustedPath, DoesNotBelongToStrangers)
{
    if (::geteuid() != 0)
        return; // only root can give things away
    ASSERT_EQ(::chown((top / "a").c_str(), kStranger, 0), 0);
    expect_bad(file, "a belongs to user nobody");
    ::chmod((top / "a").c_str(), 01755); // sticky is no help against the owner
    expect_bad(file, "a belongs to user nobody");
}

TEST_F(TrustedPath, MayBelongToAGroupThatNobodyElseIsIn)
{
    if (::geteuid() != 0)
        return;
    ::chmod((top / "a").c_str(), 0775);
    expect_good(file); // root's own group
    const group* const staff = ::getgrnam("staff"); // as in Debian's /usr/local
    ASSERT_NE(staff, nullptr);
    ASSERT_EQ(::chown((top / "a").c_str(), 0, staff->gr_gid), 0);
    ::chmod((top / "a").c_str(), 02775);
    expect_good(file);
    const group* const nogroup = ::getgrnam("nogroup"); // nobody's own
    ASSERT_EQ(::chown((top / "a").c_str(), 0, nogroup->gr_gid), 0);
    expect_bad(file, "by the group nogroup, to which ");
}

TEST_F(TrustedPath, IsFollowedThroughEveryLink)
{
    fs::create_directory(top / "open");
    fs::create_symlink(file, top / "open" / "absolute");
    fs::create_symlink("../a/b/file", top / "open" / "relative");
    fs::create_symlink("open/relative", top / "twice");
    fs::create_directory_symlink("a", top / "way");
    expect_good(top / "twice");
    expect_good(top / "way" / "b" / "file");
    ::chmod((top / "open").c_str(), 0777);
    for (const char* const name : {"open/absolute", "open/relative", "twice"})
        expect_bad(top / name, "open may be written by everybody");
    expect_good(top / "way" / "b" / "file");
    ::chmod((top / "a").c_str(), 0777);
    expect_bad(top / "way" / "b" / "file", "a may be written by everybody");
}

TEST_F(TrustedPath, IsFollowedAsFarAsItGoes)
{
    fs::create_symlink("loop", top / "loop");
    expect_good(top / "loop" / "x");
    expect_good(top / "missing" / "x");
    ::chmod(top.c_str(), 0777);
    expect_bad(top / "missing" / "x", "may be written by everybody");
}

} // namespace
} // namespace safetp::config
