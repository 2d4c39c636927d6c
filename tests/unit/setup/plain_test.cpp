// Hashes, differences, programs' libraries, text.
#include "setup/diff.h"
#include "setup/elf_needed.h"
#include "setup/local_addresses.h"
#include "setup/root.h"
#include "setup/sha256.h"
#include "setup/text.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace safetp::setup {
namespace {

TEST(Sha256, GivesThePublishedValues) // FIPS 180-4's examples
{
    EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, TellsLengthsAroundABlockApart)
{
    for (std::size_t length = 50; length < 130; ++length)
        EXPECT_NE(sha256(std::string(length, '\0')), sha256(std::string(length + 1, '\0'))) << length;
}

TEST(Diff, IsEmptyForEqualTexts) { EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n", "x", "y"), ""); }

TEST(Diff, ShowsAChangeWithItsSurroundings)
{
    EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "a", "b"),
        "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(Diff, SplitsDistantChangesAndJoinsNearOnes)
{
    std::string before, far, near;
    for (int line = 0; line < 30; ++line) {
        before += std::to_string(line) + "\n";
        far += (line == 2 || line == 20 ? "x" : std::to_string(line)) + "\n";
        near += (line == 2 || line == 8 ? "x" : std::to_string(line)) + "\n";
    }
    const std::string two = unified_diff(before, far, "a", "b"), one = unified_diff(before, near, "a", "b");
    EXPECT_NE(two.find("@@ -18,7 +18,7 @@"), std::string::npos) << two;
    EXPECT_NE(one.find("@@ -1,12 +1,12 @@"), std::string::npos) << one;
}

TEST(Diff, HandlesNewFilesAndMissingLineEnds)
{
    EXPECT_EQ(unified_diff("", "a\n", "/dev/null", "b"), "--- /dev/null\n+++ b\n@@ -0,0 +1 @@\n+a\n");
    EXPECT_EQ(unified_diff("a", "a\n", "a", "b"), "--- a\n+++ b\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    EXPECT_EQ(unified_diff("a\n", "", "a", "/dev/null"), "--- a\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
}

TEST(ElfNeeded, ReadsTheLibrariesOfTheShell)
{
    const auto image = Root().read("/bin/sh");
    ASSERT_TRUE(image && *image);
    const auto needed = needed_libraries(**image);
    EXPECT_NE(std::ranges::find(needed, "libc.so.6"), needed.end());
    EXPECT_FALSE(needs_libwrap(**image));
}

TEST(ElfNeeded, SurvivesDamagedPrograms)
{
    const auto image = Root().read("/bin/sh");
    ASSERT_TRUE(image && *image);
    EXPECT_TRUE(needed_libraries("").empty());
    EXPECT_TRUE(needed_libraries("#!/bin/sh\n").empty());
    EXPECT_TRUE(needed_libraries((*image)->substr(0, 64)).empty());
    for (std::size_t at = 16; at < 64; ++at) { // every byte of the header
        std::string damaged = (*image)->substr(0, 1u << 16);
        damaged[at] = static_cast<char>(~damaged[at]);
        needed_libraries(damaged);
    }
}

TEST(LocalAddresses, ComeLoopbackFirstAndOnce)
{
    const auto address = [](const char* text) { return *IpAddress::parse(text); };
    const auto sorted
        = in_order({address("2001:db8::1"), address("192.0.2.1"), address("::1"), address("127.0.0.1"), address("192.0.2.1")});
    EXPECT_EQ(
        sorted, (std::vector<IpAddress>{address("127.0.0.1"), address("::1"), address("192.0.2.1"), address("2001:db8::1")}));
}

TEST(Text, EscapesForTerminalsAndJson)
{
    EXPECT_EQ(printable("a\x1b[1m\tb"), "a\\x1b[1m\tb");
    EXPECT_EQ(json_string("a\"b\\c\n\x1f"), "\"a\\\"b\\\\c\\u000a\\u001f\"");
    EXPECT_EQ(json_string("\xff"), "\"\\u00ff\"");
    EXPECT_EQ(json_string("\xc3\xa9"), "\"\xc3\xa9\"") << "UTF-8 stays";
}

TEST(Text, TakesOnlyPorts)
{
    EXPECT_EQ(parse_port("351"), 351);
    for (const char* text : {"", "0", "65536", "-1", "+1", " 1", "1 ", "ftp", "0x15"})
        EXPECT_EQ(parse_port(text), std::nullopt) << text;
}

} // namespace
} // namespace safetp::setup
