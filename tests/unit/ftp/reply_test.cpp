// Reply framing: what ends a multi-line reply, and what is no reply at all.
#include "ftp/reply.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace safetp::ftp {
namespace {

using std::string_literals::operator""s;

// Feeds the lines; gives "code first|inside last|more text" for each, or "no reply".
std::vector<std::string> read_all(const std::vector<std::string>& lines)
{
    ReplyReader reader;
    std::vector<std::string> result;
    for (const auto& line : lines) {
        const auto reply = reader.read(line);
        if (!reply) {
            result.emplace_back("no reply");
            continue;
        }
        result.push_back(std::to_string(reply->code) + (reply->is_first ? " first" : " inside")
            + (reply->is_last ? " last: " : " more: ") + reply->text);
    }
    return result;
}

struct Case {
    const char* name;
    std::vector<std::string> lines;
    std::vector<std::string> expected;
};

const std::vector<Case> kCases{
    {"one line", {"200 OK"}, {"200 first last: 200 OK"}},
    {"the code alone", {"200"}, {"200 first last: 200 "}},
    {"the code and a space", {"200 "}, {"200 first last: 200 "}},
    {"every first digit", {"100 a", "200 b", "331 c", "425 d", "599 e"},
        {"100 first last: 100 a", "200 first last: 200 b", "331 first last: 331 c", "425 first last: 425 d",
            "599 first last: 599 e"}},
    {"two lines", {"220-Welcome", "220 ready"}, {"220 first more: 220-Welcome", "220 inside last: 220 ready"}},
    {"an empty text", {"220-", "220 "}, {"220 first more: 220-", "220 inside last: 220 "}},
    {"an empty line inside", {"220-a", "", "220 b"}, {"220 first more: 220-a", "220 inside more: ", "220 inside last: 220 b"}},
    {"another code inside", {"123-First", "Second", "234 A line", "123 Last"},
        {"123 first more: 123-First", "123 inside more: Second", "123 inside more: 234 A line", "123 inside last: 123 Last"}},
    {"another code with a hyphen inside does not nest", {"213-a", "226-b", "213 c", "226 d"},
        {"213 first more: 213-a", "213 inside more: 226-b", "213 inside last: 213 c", "226 first last: 226 d"}},
    {"the same code with a hyphen", {"211-a", "211-b", "211 c"},
        {"211 first more: 211-a", "211 inside more: 211-b", "211 inside last: 211 c"}},
    {"the same code indented does not end it", {"211-a", " 211 b", "211 c"},
        {"211 first more: 211-a", "211 inside more:  211 b", "211 inside last: 211 c"}},
    {"digits behind the code do not end it", {"211-a", "2110 b", "211 c"},
        {"211 first more: 211-a", "211 inside more: 2110 b", "211 inside last: 211 c"}},
    {"the code with a TAB does not end it", {"211-a", "211\tb", "211 c"},
        {"211 first more: 211-a", "211 inside more: 211\tb", "211 inside last: 211 c"}},
    {"421 inside is text", {"213-Status", "421 going", "213 End"},
        {"213 first more: 213-Status", "213 inside more: 421 going", "213 inside last: 213 End"}},
    {"226 inside a 150 is text", {"150-a", "226 Transfer complete", "150 b"},
        {"150 first more: 150-a", "150 inside more: 226 Transfer complete", "150 inside last: 150 b"}},
    {"the next reply starts anew", {"220-a", "220 b", "220-c", "220 d"},
        {"220 first more: 220-a", "220 inside last: 220 b", "220 first more: 220-c", "220 inside last: 220 d"}},
    {"8-bit text", {"257 \"\xc3\xa4\"\"\xff\""}, {"257 first last: 257 \"\xc3\xa4\"\"\xff\""}},
    {"CR inside becomes a space", {"200 a\rDELE b"}, {"200 first last: 200 a DELE b"}},
    {"NUL inside becomes a space", {"200 a\0b"s}, {"200 first last: 200 a b"}},
    {"CR behind the text", {"200 a\r"}, {"200 first last: 200 a "}},
    {"CR and NUL in the middle of a reply", {"211-a\r", "\r\0b"s, "211 c\0"s},
        {"211 first more: 211-a ", "211 inside more:   b", "211 inside last: 211 c "}},
};

TEST(ReplyReader, FramesReplies)
{
    for (const auto& [name, lines, expected] : kCases)
        EXPECT_EQ(read_all(lines), expected) << name;
}

TEST(ReplyReader, RefusesWhatIsNoReply)
{
    const std::vector<std::string> refused{"", "2", "22", "OK", "ok 200", " 200 OK", "\t200 OK", "000 a", "099 a", "600 a",
        "631 a", "999 a", "20 OK", "2000 OK", "200OK", "200_OK", "200\tOK", "200.OK", "200,OK", "2 0 OK", "-200 OK", "+200 OK",
        "20a OK", "2a0 OK", "a00 OK",
        "\xff\xfb\x01"
        "220 hi",
        "\0"s + "220 hi", "220\0hi"s, "220\r", "HTTP/1.1 200 OK", "SSH-2.0-x", "\x16\x03\x01", "\xd9\xa2\xd9\xa0\xd9\xa0 a"};
    for (const auto& line : refused) {
        ReplyReader reader;
        EXPECT_FALSE(reader.read(line)) << testing::PrintToString(line);
        EXPECT_FALSE(reader.is_inside()) << testing::PrintToString(line);
        EXPECT_TRUE(reader.read("200 OK")) << "the reader still works after " << testing::PrintToString(line);
    }
}

TEST(ReplyReader, TellsWhetherItIsInsideAReply)
{
    ReplyReader reader;
    EXPECT_FALSE(reader.is_inside());
    reader.read("211-a");
    EXPECT_TRUE(reader.is_inside());
    reader.read("not a reply, but inside one");
    EXPECT_TRUE(reader.is_inside());
    reader.read("211 b");
    EXPECT_FALSE(reader.is_inside());
}

// An endless multi-line reply costs no memory here; each line is handed on at once.
TEST(ReplyReader, HandsOnEveryLineOfALongReply)
{
    ReplyReader reader;
    EXPECT_TRUE(reader.read("213-Status"));
    for (int i = 0; i < 100'000; ++i) {
        const auto line = reader.read("200 -rw-r--r-- 1 ftp ftp");
        ASSERT_TRUE(line && line->code == 213 && !line->is_last);
    }
    EXPECT_TRUE(reader.read("213 End")->is_last);
}

TEST(ReplyCodes, Classes)
{
    EXPECT_TRUE(is_preliminary(150) && !is_positive(150) && !is_negative(150));
    EXPECT_TRUE(!is_preliminary(200) && is_positive(226) && is_positive(299) && !is_negative(226));
    EXPECT_TRUE(!is_preliminary(331) && !is_positive(331) && !is_negative(331));
    EXPECT_TRUE(!is_preliminary(421) && !is_positive(421) && is_negative(421) && is_negative(500));
}

} // namespace
} // namespace safetp::ftp
