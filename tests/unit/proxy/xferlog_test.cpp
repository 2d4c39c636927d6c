#include "proxy/xferlog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace safetp::proxy {
namespace {

class XferlogTest : public testing::Test {
protected:
    XferlogTest()
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        record_.ended = 1'000'000'000; // Sun Sep  9 01:46:40 2001
        record_.duration = std::chrono::seconds(17);
        record_.client = *IpAddress::parse("192.0.2.9");
        record_.bytes = 5'000'000'000;
        record_.path = "/pub/file";
        record_.user = "joe";
        record_.is_complete = true;
    }

    /// The time's five words count as one field, as in xferlog(5).
    std::vector<std::string> fields() const
    {
        std::istringstream line(to_xferlog_line(record_));
        std::vector<std::string> words;
        for (std::string word; std::getline(line, word, ' ');) {
            if (!word.empty()) // "%e" pads a short day with a space
                words.push_back(word);
        }
        words.erase(words.begin(), words.begin() + 4);
        return words;
    }

    TransferRecord record_;
};

TEST_F(XferlogTest, ADownloadAsAWhole)
{
    EXPECT_EQ(to_xferlog_line(record_),
        "Sun Sep  9 01:46:40 2001 17 192.0.2.9 5000000000 /pub/file b _ o r joe ftp 0 * c\n");
}

TEST_F(XferlogTest, AnAnonymousAsciiUploadThatBrokeOff)
{
    record_.is_ascii = record_.is_upload = record_.is_anonymous = true;
    record_.is_complete = false;
    record_.client = *IpAddress::parse("2001:db8::1");
    EXPECT_EQ(to_xferlog_line(record_),
        "Sun Sep  9 01:46:40 2001 17 2001:db8::1 5000000000 /pub/file a _ i a joe ftp 0 * i\n");
}

// Each flag has its own place: one that is swapped with its neighbour must not go unseen.
TEST_F(XferlogTest, EachFlagAlone)
{
    const auto base = fields();
    ASSERT_EQ(base.size(), 14u);
    const auto differs_only_in = [&](std::size_t place, std::string_view value) {
        const auto now = fields();
        for (std::size_t i = 0; i < base.size(); ++i)
            EXPECT_EQ(now[i], i == place ? value : base[i]) << "field " << i;
    };
    record_.is_ascii = true;
    differs_only_in(5, "a");
    record_.is_ascii = false;
    record_.is_upload = true;
    differs_only_in(7, "i");
    record_.is_upload = false;
    record_.is_anonymous = true;
    differs_only_in(8, "a");
    record_.is_anonymous = false;
    record_.is_complete = false;
    differs_only_in(13, "i\n");
}

TEST_F(XferlogTest, WhateverTheNameALineHasFourteenFieldsAndOneEnd)
{
    for (const std::string name : {"a b", " ", "a\nSun Sep  9 01:46:40 2001 17 10.0.0.1 1 /forged b _ o r root ftp 0 * c",
             "\r\n", "tab\there", "\x7f", "\x01\x1f", ""}) {
        record_.path = record_.user = name;
        const auto all = fields();
        ASSERT_EQ(all.size(), 14u) << name;
        EXPECT_FALSE(all[4].empty());
        const std::string line = to_xferlog_line(record_);
        EXPECT_EQ(std::ranges::count(line, '\n'), 1) << name;
        EXPECT_TRUE(line.ends_with('\n'));
    }
}

TEST_F(XferlogTest, WhatWouldBreakTheLineBecomesAnUnderscore)
{
    record_.path = std::string("/a b\tc\nd\re\x7f_\0g", 14);
    EXPECT_EQ(fields()[4], "/a_b_c_d_e___g");
    record_.user = "joe doe";
    EXPECT_EQ(fields()[9], "joe_doe");
}

TEST_F(XferlogTest, WhatCouldActOnATerminalBecomesUnderscores)
{
    record_.path = "/a\xc2\x9b[2J\x9b\x80\xe2\x80\xae" "b"; // C1 in UTF-8 and raw, right-to-left override
    EXPECT_EQ(fields()[4], "/a__[2J_____b");
    record_.user = "j\xc2\x85oe";
    EXPECT_EQ(fields()[9], "j__oe");
}

// Whoever splits lines by Unicode's white space, as Python does, must find the same fields.
TEST_F(XferlogTest, NoBlankOfAnyScriptIsKept)
{
    for (const std::string blank : {"\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x83", "\xe2\x80\x8a", "\xe2\x80\xaf",
             "\xe2\x81\x9f", "\xe3\x80\x80", "\xe2\x80\x8b", "\xe2\x81\xa0", "\xe3\x85\xa4", "\xf3\xa0\x80\xa0"}) {
        record_.path = "/a" + blank + "b";
        EXPECT_EQ(fields()[4], "/a" + std::string(blank.size(), '_') + "b");
        record_.user = "joe" + blank;
        EXPECT_EQ(fields()[9], "joe" + std::string(blank.size(), '_'));
    }
    record_.path = "/a\xa0" "b"; // Latin-1's
    EXPECT_EQ(fields()[4], "/a_b");
    record_.path = "/\xc3\xa0\xe3\x81\x82"; // letters whose bytes include it
    EXPECT_EQ(fields()[4], record_.path);
}

TEST_F(XferlogTest, OtherBytesAreKept)
{
    record_.path = "/\xc3\xbc/\xff\"'\\%s{}";
    EXPECT_EQ(fields()[4], record_.path);
}

TEST_F(XferlogTest, NoNameIsADash)
{
    record_.path.clear();
    record_.user.clear();
    EXPECT_EQ(fields()[4], "-");
    EXPECT_EQ(fields()[9], "-");
}

std::string read_all(const UniqueFd& fd)
{
    char buffer[4096];
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

struct Pipe {
    Pipe()
    {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::pipe(ends), 0);
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }
    UniqueFd reader;
    UniqueFd writer;
};

TEST_F(XferlogTest, WritesToItsFileAndAfterRenewalToTheNewOne)
{
    Pipe first;
    Pipe second;
    Xferlog log(std::move(first.writer));
    log.write(record_);
    EXPECT_EQ(read_all(first.reader), to_xferlog_line(record_));
    log.reopen(std::move(second.writer));
    EXPECT_EQ(read_all(first.reader), "") << "closed";
    log.write(record_);
    EXPECT_EQ(read_all(second.reader), to_xferlog_line(record_));
}

TEST_F(XferlogTest, WithoutAFileNothingIsWrittenAndNothingComplainedOf)
{
    testing::internal::CaptureStderr();
    Xferlog(UniqueFd()).write(record_);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(XferlogTest, AFileThatCannotBeWrittenIsComplainedOf)
{
    Pipe pipe;
    Xferlog log(std::move(pipe.reader)); // which cannot be written to
    testing::internal::CaptureStderr();
    log.write(record_);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("could not be written to the transfer log"), std::string::npos);
}

} // namespace
} // namespace safetp::proxy
