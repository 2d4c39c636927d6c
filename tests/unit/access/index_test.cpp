// The index must give what the search through every rule gives: a recorded evaluation does not use it.
#include "access/decide.h"
#include "access/image.h"
#include "access/index.h"

#include <gtest/gtest.h>
#include <random>

namespace safetp::access {

namespace {

using Lines = std::vector<std::string>;

class Dice {
public:
    explicit Dice(unsigned seed) : engine_(seed) { }
    std::size_t below(std::size_t limit) { return engine_() % limit; }
    template <typename T>
    const T& one_of(const std::vector<T>& values)
    {
        return values[below(values.size())];
    }

private:
    std::mt19937 engine_;
};

const std::vector<std::string> kDaemons{"ALL", "ftpd", "ALL EXCEPT ftpd", "21", "ftpd@10.9.9.1", "telnetd", "ALL "};
const std::vector<std::string> kPatterns{"10.1.2.3", "10.1.2.4", "10.1.", "10.", "10.1.2.", "10.1.2.0/24", "10.0.0.0/8",
    "10.1.2.0/255.255.255.0", "0.0.0.0/0.0.0.0", "0.0.0.0/0", "10.1.2.3/24", "10.1.2.3/255.255.255.255", "010.1.2.3", "12.",
    "[2001:db8::1]", "[2001:db8::2]", "[2001:db8::]/32", "[2001:db8::9]/113", "[::]/0", "[::]/", ".example", "2*",
    "ALL EXCEPT 10.", "10.1.2.3 # ALL", "10.9.9.9 # there", "10.1.2.3 : deny", "10.9.9.9 [2001:db8::3] 10.1.2.4",
    "10.1.2.3 : aclexec x", "255.255.255.255", "[fe80::1]", "[fe80::1%1]", "no colon"};
const std::vector<std::string> kAddresses{"10.1.2.3", "10.1.2.4", "10.9.9.9", "::ffff:10.1.2.3", "::ffff:a01:203",
    "2001:db8::1", "2001:db8::1:1", "2001:db9::", "fe80::1%1", "fe80::1", "unknown", "255.255.255.255", "10.1.2.03",
    "12.0.0.1"};
const std::vector<std::string> kNames{"ws.example", "unknown", "2001:db8::1", "10.x.net"};

std::string random_table(Dice& dice)
{
    std::string text;
    for (std::size_t lines = dice.below(12); lines > 0; --lines) {
        const std::string& pattern = dice.one_of(kPatterns);
        text += pattern == "no colon" ? pattern + "\n" : dice.one_of(kDaemons) + ": " + pattern + "\n";
    }
    return text;
}

TEST(Index, DecidesAsTheWholeSearchDoes)
{
    Dice dice(20240229);
    for (int round = 0; round < 20000; ++round) {
        Question question;
        question.reading = round % 2 == 0 ? Reading::strict : Reading::safe;
        question.allow = random_table(dice);
        question.deny = random_table(dice);
        question.address = dice.one_of(kAddresses);
        question.name = dice.one_of(kNames);
        question.exit_status = static_cast<int>(dice.below(2));
        const Answer fast = decide(question);
        std::vector<Trace> trace;
        question.trace = &trace;
        const Answer whole = decide(question);
        ASSERT_EQ(fast.verdict.outcome, whole.verdict.outcome) << question.allow << "--\n" << question.deny << question.address;
        ASSERT_EQ(fast.matched, whole.matched) << question.allow << "--\n" << question.deny << question.address;
        ASSERT_EQ(fast.lookups, whole.lookups) << question.allow << "--\n" << question.deny << question.address;
        ASSERT_EQ(fast.reports, whole.reports) << question.allow << "--\n" << question.deny << question.address;
    }
}

std::size_t ordinary_rules(const std::string& table, Reading reading = Reading::safe)
{
    TableFiles files;
    files.deny = file(table);
    const auto bytes = compile(files, reading);
    return image::View(bytes).ordinary(TableName::deny).size();
}

TEST(Index, TakesWhatScriptsWrite)
{
    EXPECT_EQ(ordinary_rules("ALL: 192.0.2.1\nsshd: 192.0.2.2 : deny\nALL: 192.0.2.3 192.0.2.4, 198.51.\n"), 0u);
    EXPECT_EQ(ordinary_rules("ALL: 192.0.2.1 # since monday\nALL: 192.0.2.0/24\nALL: [2001:db8::]/32\n"), 0u);
    EXPECT_EQ(ordinary_rules("ALL: [2001:db8::1]\nALL: [2001:db8::2]\n"), 1u) << "the first one asks for the name";
}

TEST(Index, LeavesAloneWhatNeedsMore)
{
    const std::string rules
        = "ALL: .example\nALL: ALL\nALL@10.1.2.3: 192.0.2.1\nALL: ann@192.0.2.1\nALL: 192.0.2.1 EXCEPT ALL\n"
          "ALL: 192.0.2.1/24\nALL: 192.*\nno colon\nALL: 192.0.2.1 # ALL\nALL: /file\nALL: @group\nALL:\n";
    EXPECT_EQ(ordinary_rules(rules), 12u);
}

std::vector<std::byte> small_image()
{
    TableFiles files;
    files.allow = file("ALL: 192.0.2.1\nALL: 198.51.100.0/24\nftpd: [2001:db8::]/32\n");
    files.deny = file("ALL: ALL\n");
    files.others = {{"/b/ftpd", file("hello")}};
    return compile(files, Reading::safe);
}

TEST(Image, IsRefusedWhenItIsCutOrNoImage)
{
    const auto bytes = small_image();
    ASSERT_TRUE(Tables::open(bytes).has_value());
    EXPECT_FALSE(Tables::open({}).has_value());
    for (std::size_t size = 0; size < bytes.size(); size += 7)
        EXPECT_FALSE(Tables::open(std::span(bytes).first(size)).has_value()) << size;
    auto other = bytes;
    other[0] ^= std::byte{1};
    EXPECT_FALSE(Tables::open(other).has_value());
}

/// Whatever bit is wrong: it is refused, or it can be asked without harm. The sanitizers look on.
TEST(Image, WithAWrongBitDoesNoHarm)
{
    const auto bytes = small_image();
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        auto damaged = bytes;
        damaged[bit / 8] ^= std::byte{1} << (bit % 8);
        const auto tables = Tables::open(damaged);
        if (!tables) {
            ++refused;
            continue;
        }
        Request request;
        request.daemon = "ftpd";
        request.client_address = "198.51.100.7";
        Evaluation evaluation(*tables, request, {});
        Step step = evaluation.start();
        for (int i = 0; i < 10 && std::holds_alternative<LookUp>(step); ++i)
            step = evaluation.learn("unknown");
    }
    EXPECT_GT(refused, 1000u);
}

TEST(Image, KnowsItsReadingAndPaths)
{
    TableFiles files;
    files.deny_path = "/elsewhere/deny";
    const auto bytes = compile(files, Reading::strict);
    const auto tables = Tables::open(bytes);
    ASSERT_TRUE(tables.has_value());
    EXPECT_EQ(tables->reading(), Reading::strict);
    EXPECT_EQ(tables->path(TableName::allow), "/etc/hosts.allow");
    EXPECT_EQ(tables->path(TableName::deny), "/elsewhere/deny");
}

TEST(Image, MayStandAtAnyAddress)
{
    const auto bytes = small_image();
    std::vector<std::byte> shifted(bytes.size() + 1);
    std::ranges::copy(bytes, shifted.begin() + 1);
    EXPECT_TRUE(Tables::open(std::span(shifted).subspan(1)).has_value());
}

TEST(FilesNamed, ByRules)
{
    const std::string table = "ftpd@/s: /a, ann@/b /a EXCEPT /c : banners /d : banners relative\n/e: ALL: spawn /f\nbad /g\n";
    const Lines expected{"/a", "/b", "/c", "/d", "/d/ftpd", "/d/sshd", "/s"};
    EXPECT_EQ(files_named_by_table(table, Reading::safe, {"ftpd", "sshd"}), expected);
}

TEST(FilesNamed, ByPatternFiles) { EXPECT_EQ(files_named_by_pattern_file(" /x 10.1.2.3\v/y\nann@/z /x"), (Lines{"/x", "/y"})); }

} // namespace
} // namespace safetp::access
