#include "access/rules.h"

#include <gtest/gtest.h>

namespace safetp::access {

namespace {

/// Each rule as LINE|daemons|clients|options, each trouble as LINE!kind.
std::vector<std::string> read_all(std::string_view text, Reading reading)
{
    std::vector<std::string> result;
    RuleReader reader(text, reading);
    for (auto item = reader.next(); item != RuleReader::Item::end; item = reader.next()) {
        if (item == RuleReader::Item::trouble) {
            constexpr const char* kKinds[] = {"missing_colon", "unfinished_line", "nul_byte"};
            result.push_back(
                std::to_string(reader.trouble().line) + "!" + kKinds[static_cast<std::size_t>(reader.trouble().kind)]);
            continue;
        }
        const Rule& rule = reader.rule();
        result.push_back(
            std::to_string(rule.line) + "|" + rule.daemons + "|" + rule.clients + (rule.has_options ? "|" + rule.options : ""));
    }
    return result;
}

using Lines = std::vector<std::string>;

struct RulesCase {
    const char* name;
    std::string text;
    Lines strict;
    Lines safe;
};

class Rules : public testing::TestWithParam<RulesCase> { };

TEST_P(Rules, AreReadAsInTheReading)
{
    EXPECT_EQ(read_all(GetParam().text, Reading::strict), GetParam().strict);
    EXPECT_EQ(read_all(GetParam().text, Reading::safe), GetParam().safe);
}

const std::string kNul(1, '\0');

INSTANTIATE_TEST_SUITE_P(Lines, Rules,
    testing::Values(RulesCase{"empty", "", {}, {}}, RulesCase{"one", "a:b\n", {"1|a|b\n"}, {"1|a|b\n"}},
        RulesCase{"options", "a:b:c:d\n", {"1|a|b|c:d\n"}, {"1|a|b|c:d\n"}},
        RulesCase{"comments_and_blanks", "#x:y\n \t\r\n\na:b\n", {"4|a|b\n"}, {"4|a|b\n"}},
        RulesCase{"brackets", "a:[::1]:c\n", {"1|a|[::1]|c\n"}, {"1|a|[::1]|c\n"}},
        RulesCase{"unclosed_bracket", "a:[b:c\nd:e\n", {"1|a|[b:c\n", "2|d|e\n"}, {"1|a|[b:c\n", "2|d|e\n"}},
        RulesCase{"bracket_hides_both_colons", "[a:b:c\n", {"1!missing_colon"}, {"1!missing_colon"}},
        RulesCase{"stray_bracket", "a]:b\nc:d\n", {"1!missing_colon", "2|c|d\n"}, {"1!missing_colon", "2|c|d\n"}},
        RulesCase{"no_colon", "abc\nd:e\n", {"1!missing_colon", "2|d|e\n"}, {"1!missing_colon", "2|d|e\n"}},
        RulesCase{"continued", "a:b\\\nc\n", {"2|a|bc\n"}, {"2|a|bc\n"}},
        RulesCase{"two_backslashes", "a:b\\\\\nc\n", {"2|a|b\\c\n"}, {"2|a|b\\c\n"}},
        RulesCase{
            "carriage_return_continues_nothing", "a:b \\\r\nc:d\n", {"1|a|b \\\r\n", "2|c|d\n"}, {"1|a|b \\\r\n", "2|c|d\n"}},
        RulesCase{"continued_comment", "#a \\\nb:c\nd:e\n", {"3|d|e\n"}, {"3|d|e\n"}},
        RulesCase{"unfinished", "a:b\nc:d", {"1|a|b\n", "1!unfinished_line"}, {"1|a|b\n", "1!unfinished_line"}},
        RulesCase{"unfinished_comment", "#c", {"0!unfinished_line"}, {"0!unfinished_line"}},
        RulesCase{"unfinished_without_colon", "x", {"0!unfinished_line"}, {"0!unfinished_line"}},
        RulesCase{"unfinished_after_a_backslash", "a:b\\\n", {"1!unfinished_line"}, {"1!unfinished_line"}},
        RulesCase{"backslash_alone", "\\\n", {}, {}},
        RulesCase{"nul", "a:b" + kNul + "x\nc\nd:e\n", {"1|a|bc\n", "2|d|e\n"}, {"0!nul_byte"}},
        RulesCase{"nul_first", kNul + "a:b\nc:d\n", {"1|c|d\n"}, {"0!nul_byte"}},
        RulesCase{"only_nuls", std::string(5000, '\0'), {}, {"0!nul_byte"}},
        RulesCase{"mark",
            "\xef\xbb\xbf"
            "a:b\n",
            {"1|\xef\xbb\xbf"
             "a|b\n"},
            {"1|a|b\n"}},
        RulesCase{"mark_before_comment", "\xef\xbb\xbf#a:b\n", {"1|\xef\xbb\xbf#a|b\n"}, {}},
        RulesCase{"comment_behind", "a:b # c d\n", {"1|a|b # c d\n"}, {"1|a|b "}},
        RulesCase{"comment_with_colon", "a:b # c:deny\n", {"1|a|b # c|deny\n"}, {"1|a|b |deny\n"}},
        RulesCase{"comment_in_options", "a:b:spawn x # y\n", {"1|a|b|spawn x # y\n"}, {"1|a|b|spawn x # y\n"}},
        RulesCase{"hash_in_a_word", "a:b#c\n", {"1|a|b#c\n"}, {"1|a|b#c\n"}},
        RulesCase{"blank_before_comment", "  # c\n", {"1!missing_colon"}, {}}),
    [](const auto& each) { return each.param.name; });

class LongLines : public testing::TestWithParam<Reading> { };

TEST_P(LongLines, EndTheTable)
{
    const std::string fits = "a:" + std::string(2044, 'b') + "\n"; // 2047 bytes
    ASSERT_EQ(fits.size(), kLineLimit - 1);
    EXPECT_EQ(read_all(fits + "c:d\n", GetParam()).size(), 2u);
    const Lines dead{"1!unfinished_line"};
    EXPECT_EQ(read_all("\n"
                       "b"
                      + fits + "c:d\n",
                  GetParam()),
        dead);
    EXPECT_EQ(read_all("\n#" + fits + "c:d\n", GetParam()), dead) << "a comment";
}

TEST_P(LongLines, CountTheirParts)
{
    const std::string half(1020, 'b');
    EXPECT_EQ(read_all("a:" + half + "\\\n" + half + "\n", GetParam()).front().substr(0, 2), "2|");
    EXPECT_EQ(read_all("a:" + half + "\\\n" + half + "12345\n", GetParam()), Lines{"1!unfinished_line"});
}

TEST_P(LongLines, MayEndTheTableWithoutNewline)
{
    const std::string text = "a:" + std::string(5000, 'b');
    EXPECT_EQ(read_all(text, GetParam()), Lines{"0!unfinished_line"});
}

INSTANTIATE_TEST_SUITE_P(Both, LongLines, testing::Values(Reading::strict, Reading::safe),
    [](const auto& each) { return each.param == Reading::strict ? "strict" : "safe"; });

TEST(RuleReader, GoesToAnItem)
{
    const std::string text = "a:b\n#x\nc\\\n:d\n";
    RuleReader reader(text, Reading::strict);
    ASSERT_EQ(reader.next(), RuleReader::Item::rule);
    ASSERT_EQ(reader.next(), RuleReader::Item::rule);
    EXPECT_EQ(reader.rule().line, 4u);
    RuleReader other(text, Reading::strict);
    other.go_to(reader.item_offset(), reader.item_lines_before());
    ASSERT_EQ(other.next(), RuleReader::Item::rule);
    EXPECT_EQ(other.rule().line, 4u);
    EXPECT_EQ(other.rule().daemons, "c");
}

TEST(RuleReader, EndsBehindTheText)
{
    RuleReader reader("a:b\n", Reading::safe, 100);
    EXPECT_EQ(reader.next(), RuleReader::Item::end);
}

} // namespace
} // namespace safetp::access
