#include "base/log.h"
#include "base/log_lines.h"
#include "base/unique_fd.h"

#include <gtest/gtest.h>

#include <climits>
#include <fcntl.h>
#include <regex.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace safetp::log {
namespace {

using std::string_view_literals::operator""sv;

/// Lets stderr go to a datagram socket, so that each write(2) is one message, and gives the messages back.
class CapturedStderr {
public:
    CapturedStderr()
    {
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
            std::abort();
        reader_.reset(pair[0]);
        const UniqueFd writer(pair[1]);
        saved_.reset(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10));
        ::dup2(writer.get(), STDERR_FILENO);
    }
    ~CapturedStderr() { ::dup2(saved_.get(), STDERR_FILENO); }

    std::vector<std::string> writes()
    {
        std::vector<std::string> result;
        char buffer[65536];
        for (ssize_t got; (got = ::recv(reader_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
            result.emplace_back(buffer, static_cast<std::size_t>(got));
        return result;
    }

private:
    UniqueFd reader_;
    UniqueFd saved_;
};

std::vector<std::string> lines_of(const Options& options, void (*log_something)())
{
    CapturedStderr captured;
    open(options);
    log_something();
    open({});
    return captured.writes();
}

/// The whole of `line` up to its newline matches the POSIX extended expression.
bool matches(const std::string& line, const std::string& expression)
{
    regex_t compiled;
    if (::regcomp(&compiled, ("^" + expression + "\n$").c_str(), REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool is_match = ::regexec(&compiled, line.c_str(), 0, nullptr, 0) == 0;
    ::regfree(&compiled);
    return is_match;
}

TEST(LogEscape, LeavesPrintableTextAlone)
{
    EXPECT_EQ(escape("plain text 123 ~"), "plain text 123 ~");
    EXPECT_EQ(escape("Grüße, 日本, 🙂"), "Grüße, 日本, 🙂");
    EXPECT_EQ(escape(""), "");
}

TEST(LogEscape, ShowsEveryByteThatCouldActOnAReader)
{
    EXPECT_EQ(escape("a\nb\r\tc\0d\x1b[31m\x7f"sv), "a\\x0ab\\x0d\\x09c\\x00d\\x1b[31m\\x7f");
    EXPECT_EQ(escape("\u0085\u009b"), "\\xc2\\x85\\xc2\\x9b");
    EXPECT_EQ(escape("\u202e\u2066\u200f\u061c"), "\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\x8f\\xd8\\x9c");
    EXPECT_EQ(escape("\u2028\u2029"), "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");
    EXPECT_EQ(escape("say \"hi\" \\n"), "say \\\"hi\\\" \\\\n");
}

TEST(LogEscape, ShowsInvalidUtf8)
{
    EXPECT_EQ(escape("\xff"), "\\xff");
    EXPECT_EQ(escape("\xc0\xaf"), "\\xc0\\xaf");                 // overlong "/"
    EXPECT_EQ(escape("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");        // overlong again
    EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");        // surrogate
    EXPECT_EQ(escape("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); // above U+10FFFF
    EXPECT_EQ(escape("a\xc3"), "a\\xc3");                        // cut off
    EXPECT_EQ(escape("\xc3\nb"), "\\xc3\\x0ab");
}

TEST(LogEscape, CutsAtTheLimitAndNeverInsideASequence)
{
    EXPECT_EQ(escape("abcdef", 6), "abcdef");
    EXPECT_EQ(escape("abcdefg", 6), "abc...");
    EXPECT_EQ(escape("ab\n\n", 8), "ab...");
    EXPECT_EQ(escape("üüüü", 7), "üü...");
    for (std::size_t limit = 0; limit < 12; ++limit)
        EXPECT_LE(escape("a\n\xff\"long enough", limit).size(), limit);
}

TEST(Log, TextLineHasTimeSessionMessageAndFields)
{
    const auto lines = lines_of({}, [] {
        Event(Level::info, 12, "session-end", "session \"over\"").with("bytes", 42).with("user", "bob").with("why", "said bye");
        Event(Level::info, 0, "start", "started");
    });
    ASSERT_EQ(lines.size(), 2u);
    const std::string time = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z ";
    EXPECT_TRUE(matches(lines[0], time + R"(#12 session "over" bytes=42 user=bob why="said bye")")) << lines[0];
    EXPECT_TRUE(matches(lines[1], time + "started")) << lines[1];
}

TEST(Log, OneEventIsOneLineWhateverPeersSend)
{
    const auto hostile = [] {
        std::string all;
        for (int byte = 0; byte < 256; ++byte)
            all += static_cast<char>(byte);
        Event(Level::warning, 1, "x", all + "\u2028\u202e").with("k", all + "\" injected=\"yes");
    };
    for (const Format format : {Format::text, Format::json}) {
        const auto lines = lines_of({.format = format}, hostile);
        ASSERT_EQ(lines.size(), 1u);
        EXPECT_EQ(lines[0].find('\n'), lines[0].size() - 1);
        for (const char byte : lines[0].substr(0, lines[0].size() - 1))
            EXPECT_GE(static_cast<unsigned char>(byte), 0x20);
        EXPECT_EQ(lines[0].find("\u2028"), std::string::npos);
        EXPECT_EQ(lines[0].find("\" injected=\""), std::string::npos);
    }
}

TEST(Log, NoLineIsLongerThanAPipeTakesAtOnce)
{
    const auto hostile = [] {
        const std::string controls(4096, '\x01'); // six bytes each in JSON
        Event(Level::warning, 1, "x", controls).with("path", controls).with("user", std::string(4096, '\xff')).with("n", 1);
    };
    for (const Format format : {Format::text, Format::json}) {
        const auto lines = lines_of({.format = format}, hostile);
        ASSERT_EQ(lines.size(), 1u);
        EXPECT_LE(lines[0].size(), std::size_t{PIPE_BUF});
        EXPECT_NE(lines[0].find("...\""), std::string::npos) << "what was cut shows it";
    }
}

TEST(Log, JournalLinesHaveAPriorityAndNoTime)
{
    const auto lines = lines_of({.target = Target::journal, .threshold = Level::debug}, [] {
        Event(Level::debug, 0, "a", "a");
        Event(Level::notice, 3, "b", "b");
        Event(Level::error, 0, "c", "c");
    });
    EXPECT_EQ(lines, (std::vector<std::string>{"<7>a\n", "<5>#3 b\n", "<3>c\n"}));
}

TEST(Log, AStderrThatIsTheJournalIsWrittenAsThat)
{
    // systemd sets it for every service, also for those that send their stderr somewhere else.
    ::setenv("JOURNAL_STREAM", "1:2", 1);
    auto lines = lines_of({}, [] { Event(Level::notice, 3, "b", "b"); });
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_TRUE(lines[0].ends_with("Z #3 b\n")) << lines[0];

    CapturedStderr captured;
    struct stat status{};
    ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
    ::setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
    open({});
    Event(Level::notice, 3, "b", "b");
    ::unsetenv("JOURNAL_STREAM");
    open({});
    EXPECT_EQ(captured.writes(), std::vector<std::string>{"<5>#3 b\n"});
}

TEST(Log, ThresholdHoldsBack)
{
    const auto lines = lines_of({.threshold = Level::warning}, [] {
        EXPECT_FALSE(is_enabled(Level::notice));
        Event(Level::notice, 0, "a", "no").with("x", 1);
        Event(Level::warning, 0, "a", "yes");
    });
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("yes"), std::string::npos);
}

TEST(Log, JsonIsOneObject)
{
    const auto lines = lines_of({.format = Format::json}, [] {
        Event(Level::error, 7, "ev", "say \"hi\"\n\xff").with("n", -5).with("s", "a\\b").with("ip", *IpAddress::parse("::1"));
    });
    ASSERT_EQ(lines.size(), 1u);
    const std::string rest = lines[0].substr(lines[0].find(",\"level\""));
    EXPECT_EQ(rest,
        R"(,"level":"error","sid":7,"event":"ev","message":"say \"hi\"\u000a\ufffd","n":-5,"s":"a\\b","ip":"::1"})"
        "\n");
    EXPECT_TRUE(lines[0].starts_with("{\"ts\":\""));
}

TEST(LogLines, LoginFailurePutsTheClientFirstAndKeepsTheBracket)
{
    const IpAddress client = *IpAddress::parse("192.0.2.1");
    EXPECT_EQ(login_failure_line("bob", client), "(?@192.0.2.1) [WARNING] Authentication failed for user [bob]");
    const std::string hostile = "x] (?@198.51.100.9) [WARNING] Authentication failed for user [" + std::string(5000, '\n');
    const std::string line = login_failure_line(hostile, client);
    EXPECT_TRUE(line.starts_with("(?@192.0.2.1) "));
    EXPECT_TRUE(line.ends_with(']'));
    EXPECT_LT(line.size(), 256u);
}

TEST(LogLines, LoginFailureWrittenHasFieldsOnlyInJson)
{
    const auto text = lines_of({.target = Target::journal}, [] { login_failure(4, "b\nob", *IpAddress::parse("::1")); });
    EXPECT_EQ(text, (std::vector<std::string>{"<5>#4 (?@::1) [WARNING] Authentication failed for user [b\\x0aob]\n"}));
    const auto json = lines_of({.format = Format::json}, [] { login_failure(4, "bob", *IpAddress::parse("::1")); });
    ASSERT_EQ(json.size(), 1u);
    EXPECT_NE(json[0].find(R"("event":"login-failed")"), std::string::npos);
    EXPECT_NE(json[0].find(R"("user":"bob","client":"::1"})"), std::string::npos);
}

} // namespace
} // namespace safetp::log
