// Whatever the text: no exception, no crash, problems that a person can read.
#include "support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace safetp::config {
namespace {

/// What holds for every text.
void expect_sound(const std::string& text)
{
    Loaded loaded;
    ASSERT_NO_THROW(loaded = parse(text, "x")) << text;
    const auto line_count = static_cast<unsigned>(lines_of(text).size());
    unsigned last_line = 0;
    for (const Problem& problem : loaded.problems) {
        ASSERT_FALSE(problem.text.empty());
        ASSERT_EQ(problem.text.find_first_of("\n\r\x1b"), std::string::npos) << problem.text;
        ASSERT_LE(problem.line, line_count) << problem.text;
        ASSERT_GE(problem.line, last_line) << problem.text;
        last_line = problem.line;
    }
    if (loaded.is_usable()) {
        ASSERT_FALSE(loaded.config.listeners.empty());
        ASSERT_LE(loaded.config.data.first_port, loaded.config.data.last_port);
    }
}

/// The shipped file by sections, each a good file by itself: trying every byte costs the square of a text's size.
std::vector<std::string> shipped_sections()
{
    std::vector<std::string> sections(1);
    for (const std::string& line : lines_of(read_whole(project_file("config/safetpd.toml")))) {
        if (line.starts_with('['))
            sections.emplace_back();
        sections.back() += line + "\n";
    }
    return sections;
}

TEST(Robustness, TruncationsAtEveryByte)
{
    ASSERT_GT(shipped_sections().size(), 8u);
    for (const std::string& whole : shipped_sections()) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const std::string text = whole.substr(0, size);
            expect_sound(text);
            if (whole[size] == '\n') { // nothing spans lines in that file: each of its beginnings is a good file
                ASSERT_TRUE(parse(text, "x").problems.empty()) << to_string(parse(text, "x").problems);
            }
            ASSERT_FALSE(HasFatalFailure());
        }
    }
}

TEST(Robustness, ChangedBytes)
{
    for (const std::string& whole : shipped_sections()) {
        ASSERT_TRUE(parse(whole, "x").problems.empty()) << whole;
        for (std::size_t at = 0; at < whole.size(); ++at) {
            for (const int mask : {0x01, 0x80}) {
                std::string text = whole;
                text[at] = static_cast<char>(text[at] ^ mask);
                expect_sound(text);
                ASSERT_FALSE(HasFatalFailure());
                if (mask == 0x80) {
                    ASSERT_FALSE(parse(text, "x").is_usable()) << "it is no UTF-8 any more";
                }
            }
        }
    }
}

TEST(Robustness, DeepNestingEndsInAnError)
{
    std::string dotted = "a";
    while (dotted.size() + 10 < kMaxLineBytes)
        dotted += ".a";
    std::string text = "[" + dotted + "]\n";
    for (int i = 0; i < 2; ++i)
        text += dotted + " = [\n{";
    text += dotted + " = 1";
    for (int i = 0; i < 2; ++i)
        text += "}]";
    const Loaded loaded = parse(text + "\n", "x");
    ASSERT_EQ(loaded.problems.size(), 1u);
    EXPECT_NE(loaded.problems[0].text.find("unknown key \"a\""), std::string::npos) << loaded.problems[0].text;
    EXPECT_FALSE(parse("greeting = " + std::string(900, '[') + "\n", "x").is_usable());
    EXPECT_FALSE(parse("[" + std::string(100000, 'a') + "]\n", "x").is_usable());
}

TEST(Robustness, BrokenSectionHeadsAreRefusedBeforeTheLibrarySeesThem)
{
    using std::string_literals::operator""s;
    for (const std::string& line : {"[!x]"s, "[=]"s, "[.a]"s, "[[!x]]"s, "[ "s, "["s, "[["s, "[#"s, "[+a]"s, " \t[ ,"s, "[\0]"s,
             "\xef\xbb\xbf[!"s, "[]"s, "[ ]"s, "[[[a]]]"s}) {
        const Loaded loaded = parse("# first\n"s + line + "\n", "x");
        ASSERT_EQ(loaded.problems.size(), 1u) << line;
        EXPECT_EQ(loaded.problems[0].line, 2u) << line;
        EXPECT_FALSE(parse(line, "x").is_usable()) << line;
    }
    EXPECT_TRUE(parse("\xef\xbb\xbf[ 'tls' ]\n[[ \"listener\"]]\n\t[data]", "x").problems.empty());
}

TEST(Robustness, NothingBeyondAsciiOutsideTextsAndComments)
{
    for (const char* text : {"\u00e9 = 1", "a\u0403 = 1", "greeting =\u00a0\"x\"", "greeting = \u201cx\u201d", "[t\u00e9]",
             "greeting = \"\\\"\" \u00e9", "greeting = 'a\\' \u00e9", "greeting = \"a\"\u00e9\"b\""}) {
        const Loaded loaded = parse(text, "x");
        ASSERT_EQ(loaded.problems.size(), 1u) << text;
        EXPECT_NE(loaded.problems[0].text.find("only texts in quotes and comments may hold"), std::string::npos) << text;
    }
    const Loaded quoted = parse("greeting = \"Gr\u00fc\u00dfe \\\" \u00e9\" # \u00e9", "x");
    EXPECT_EQ(quoted.config.greeting, "Gr\u00fc\u00dfe \" \u00e9") << to_string(quoted.problems);
    EXPECT_EQ(parse("greeting = '\u00e9 \"' # \u201c", "x").config.greeting, "\u00e9 \"");
}

TEST(Robustness, NoTextGoesOverSeveralLines)
{
    for (const char* text : {"greeting = \"\"\"\nx\"\"\"", "greeting = '''x'''", "[\"\"\"a\"\"\"]"})
        EXPECT_NE(to_string(parse(text, "x").problems).find("three quotes"), std::string::npos) << text;
    EXPECT_TRUE(parse("greeting = \"'''\" # \"\"\"", "x").problems.empty());
}

TEST(Robustness, BrokenListsAreRefusedWithTheirLine)
{
    for (const char* text : {"[data]\nannounce_for = [\n}\n[log]\n",
             "[data]\npeer = [ \"any\",\n}\n\n\n", "[data]\n\npeer = [ }"}) {
        const Loaded loaded = parse(text, "x");
        ASSERT_EQ(loaded.problems.size(), 1u) << text;
        EXPECT_EQ(loaded.problems[0].line, 3u) << text << loaded.problems[0].text;
        EXPECT_NE(loaded.problems[0].text.find("syntax: "), std::string::npos) << text;
    }
}

TEST(Robustness, ALongLineIsNamed)
{
    const Loaded at_limit = parse("#" + std::string(kMaxLineBytes - 1, 'x') + "\n", "x");
    EXPECT_TRUE(at_limit.problems.empty());
    const Loaded beyond = parse("\n\n#" + std::string(kMaxLineBytes, 'x'), "x");
    ASSERT_EQ(beyond.problems.size(), 1u);
    EXPECT_EQ(beyond.problems[0].line, 3u);
}

/// A directory for one test, removed at its end.
class LoadFile : public testing::Test {
protected:
    LoadFile()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "safetp-config-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~LoadFile() override { std::filesystem::remove_all(directory_); }

    std::string refused(const std::filesystem::path& path)
    {
        const Loaded loaded = load(path.string());
        EXPECT_EQ(loaded.problems.size(), 1u);
        EXPECT_FALSE(loaded.is_usable());
        return to_string(loaded.problems);
    }

    std::filesystem::path directory_;
};

TEST_F(LoadFile, WhatIsNoRegularFileIsRefused)
{
    EXPECT_NE(refused(directory_ / "missing").find("No such file"), std::string::npos);
    EXPECT_NE(refused(directory_).find("not a regular file"), std::string::npos);
    EXPECT_NE(refused("/dev/zero").find("not a regular file"), std::string::npos);
    ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
    EXPECT_NE(refused(directory_ / "fifo").find("not a regular file"), std::string::npos); // and does not wait for a writer
}

TEST_F(LoadFile, TheSizeIsBounded)
{
    std::string text;
    while (text.size() < kMaxFileBytes)
        text += "#234567\n";
    ASSERT_EQ(text.size(), kMaxFileBytes);
    std::ofstream(directory_ / "full") << text;
    EXPECT_TRUE(load((directory_ / "full").string()).problems.empty());
    std::ofstream(directory_ / "over") << text << "\n";
    EXPECT_NE(refused(directory_ / "over").find("larger than 1048576 bytes"), std::string::npos);
}

} // namespace
} // namespace safetp::config
