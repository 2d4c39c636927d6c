#include "client/part_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string_view>
#include <unistd.h>

namespace safetp::client {
namespace {

class Part : public testing::Test {
protected:
    Part()
    {
        std::string name = testing::TempDir() + "part-XXXXXX";
        directory_ = ::mkdtemp(name.data());
        path_ = directory_ + "/file";
    }
    ~Part() override { std::filesystem::remove_all(directory_); }

    static std::span<const char> bytes(std::string_view text) { return {text.data(), text.size()}; }
    static std::string content(const std::string& path)
    {
        std::ostringstream all;
        all << std::ifstream(path).rdbuf();
        return all.str();
    }

    std::string directory_;
    std::string path_;
};

TEST_F(Part, HasItsNameWhenItIsWholeAndNotBefore)
{
    auto part = PartFile::open(path_);
    ASSERT_TRUE(part);
    ASSERT_TRUE(part->append(bytes("all ")));
    ASSERT_TRUE(part->append(bytes("of it")));
    EXPECT_FALSE(std::filesystem::exists(path_));
    ASSERT_TRUE(part->finish());
    EXPECT_EQ(content(path_), "all of it");
    EXPECT_FALSE(std::filesystem::exists(part->part_path()));
}

TEST_F(Part, IsKeptWithTheServersTime)
{
    {
        auto part = PartFile::open(path_);
        ASSERT_TRUE(part->append(bytes("half")));
        part->keep(1'700'000'000);
    }
    auto part = PartFile::open(path_);
    EXPECT_EQ(part->size(), 4);
    EXPECT_TRUE(part->is_of(1'700'000'000));
    EXPECT_FALSE(part->is_of(1'700'000'001));
    ASSERT_TRUE(part->append(bytes(" and half")));
    ASSERT_TRUE(part->finish());
    EXPECT_EQ(content(path_), "half and half");
}

TEST_F(Part, EmptyOnesAreNotKept)
{
    auto part = PartFile::open(path_);
    ASSERT_TRUE(part->append(bytes("x")));
    ASSERT_TRUE(part->start_over());
    part->keep(std::nullopt);
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(Part, IsWrittenByOneAtATime)
{
    const auto first = PartFile::open(path_);
    ASSERT_TRUE(first);
    const auto second = PartFile::open(path_);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().context.find("another process"), std::string::npos);
}

TEST_F(Part, RefusesWhatIsNoPlainFile)
{
    std::filesystem::create_symlink(directory_ + "/elsewhere", path_ + ".part");
    EXPECT_FALSE(PartFile::open(path_));
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/elsewhere"));
    std::filesystem::remove(path_ + ".part");
    std::filesystem::create_directory(path_ + ".part");
    EXPECT_FALSE(PartFile::open(path_));
    EXPECT_FALSE(PartFile::open(directory_ + "/no/such/place"));
}

TEST_F(Part, RefusesAFileThatHasAnotherName)
{
    std::ofstream(directory_ + "/precious") << "precious";
    std::filesystem::create_hard_link(directory_ + "/precious", path_ + ".part");
    const auto part = PartFile::open(path_);
    ASSERT_FALSE(part);
    EXPECT_NE(part.error().context.find("hard link"), std::string::npos) << part.error().context;
    EXPECT_EQ(content(directory_ + "/precious"), "precious");
}

TEST_F(Part, RefusesAFileOfAnotherUser)
{
    std::ofstream(path_ + ".part") << "theirs";
    if (::chown((path_ + ".part").c_str(), 12345, 12345) != 0)
        return; // only root can give files away
    const auto part = PartFile::open(path_);
    ASSERT_FALSE(part);
    EXPECT_NE(part.error().context.find("another user"), std::string::npos) << part.error().context;
    EXPECT_EQ(content(path_ + ".part"), "theirs");
}

} // namespace
} // namespace safetp::client
