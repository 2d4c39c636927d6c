// Lines as peers send them: cut anywhere, too long, without an end. Command injection begins here.
#include "ftp/line_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace safetp::ftp {
namespace {

using std::string_literals::operator""s;

constexpr std::size_t kMaxLine = 16;
const std::string kTooLong = "<too long>";

void drain(LineBuffer& buffer, std::vector<std::string>& lines)
{
    for (auto line = buffer.next(); line.kind != LineBuffer::Line::Kind::none; line = buffer.next())
        lines.push_back(line.kind == LineBuffer::Line::Kind::line ? std::string(line.text) : kTooLong);
}

// Feeds `input` in reads of at most `step` bytes and takes every line out after each read, as the relay does.
std::vector<std::string> feed(LineBuffer& buffer, std::string_view input, std::size_t step)
{
    std::vector<std::string> lines;
    while (!input.empty()) {
        const auto space = buffer.free_space();
        const std::size_t size = std::min({step, space.size(), input.size()});
        EXPECT_GT(size, 0u);
        if (size == 0)
            return lines;
        std::ranges::transform(input.substr(0, size), space.begin(), [](char c) { return static_cast<std::byte>(c); });
        buffer.commit(size);
        input.remove_prefix(size);
        drain(buffer, lines);
    }
    return lines;
}

std::vector<std::string> split(std::string_view input, std::size_t step = 1'000)
{
    LineBuffer buffer(kMaxLine);
    return feed(buffer, input, step);
}

struct Case {
    const char* name;
    std::string input;
    std::vector<std::string> expected;
};

const std::vector<Case> kCases{
    {"nothing", "", {}},
    {"one line", "NOOP\r\n", {"NOOP"}},
    {"bare LF ends a line", "NOOP\n", {"NOOP"}},
    {"two lines in one read", "TYPE I\r\nEPSV\r\n", {"TYPE I", "EPSV"}},
    {"mixed ends", "A\nB\r\nC\n", {"A", "B", "C"}},
    {"empty lines are lines", "\r\n\nA\r\n", {"", "", "A"}},
    {"a line without end is no line", "NOOP", {}},
    {"CR alone is no end", "NOOP\r", {}},
    {"only the last CR belongs to the end", "A\r\r\n", {"A\r"}},
    {"CR in the middle stays for the parser to refuse", "A\rB\r\n", {"A\rB"}},
    {"CR NUL is no end", "A\r\0B\r\n"s, {"A\r\0B"s}},
    {"NUL does not cut", "A\0B\r\n"s, {"A\0B"s}},
    {"NUL before the end stays", "A\0\r\n"s, {"A\0"s}},
    {"8-bit names", "RETR \xff\xfe\r\n", {"RETR \xff\xfe"}},
    {"spaces stay", " A  \r\n", {" A  "}},
    {"exactly the limit with CRLF", "12345678901234\r\n", {"12345678901234"}},
    {"exactly the limit with LF", "123456789012345\n", {"123456789012345"}},
    {"one more with CRLF", "123456789012345\r\n", {kTooLong}},
    {"one more with LF", "1234567890123456\n", {kTooLong}},
    {"the tail is never parsed", "1234567890123456DELE x\r\n", {kTooLong}},
    {"the tail is never parsed, however long", std::string(1'000, 'A') + "\r\nNOOP\r\n", {kTooLong, "NOOP"}},
    {"a tail with CR and NUL", std::string(20, 'A') + "\rDELE x\0DELE y\r\n"s, {kTooLong}},
    {"twice too long is reported twice", std::string(40, 'A') + "\n" + std::string(40, 'B') + "\n", {kTooLong, kTooLong}},
    {"too long without end is not reported yet", std::string(40, 'A'), {}},
    {"the line after it is whole", std::string(17, 'A') + "\nPWD\n\nB\n", {kTooLong, "PWD", "", "B"}},
};

// How the bytes arrive must not matter: every case, cut at every place and fed in steps of every size.
TEST(LineBuffer, GivesTheSameLinesHoweverTheBytesArrive)
{
    for (const auto& [name, input, expected] : kCases)
        for (std::size_t step = 1; step <= kMaxLine + 2; ++step)
            EXPECT_EQ(split(input, step), expected) << name << ", in steps of " << step;
}

TEST(LineBuffer, GivesTheSameLinesWhereverTheBytesAreCut)
{
    for (const auto& [name, input, expected] : kCases) {
        for (std::size_t cut = 0; cut <= input.size(); ++cut) {
            LineBuffer buffer(kMaxLine);
            auto lines = feed(buffer, std::string_view(input).substr(0, cut), 1'000);
            const auto rest = feed(buffer, std::string_view(input).substr(cut), 1'000);
            lines.insert(lines.end(), rest.begin(), rest.end());
            EXPECT_EQ(lines, expected) << name << ", cut at " << cut;
        }
    }
}

TEST(LineBuffer, HasRoomForARead)
{
    LineBuffer buffer(kMaxLine);
    for (std::size_t sent = 0; sent < 5 * kMaxLine; ++sent) {
        ASSERT_FALSE(buffer.free_space().empty()) << "after " << sent << " bytes without a line end";
        feed(buffer, "A", 1);
    }
    EXPECT_EQ(feed(buffer, "\n", 1), std::vector{kTooLong});
}

TEST(LineBuffer, AnOverLongLineDoesNotGrowTheMemory)
{
    LineBuffer buffer(kMaxLine);
    for (int reads = 0; reads < 100; ++reads) {
        EXPECT_LE(buffer.free_space().size(), kMaxLine + 1);
        feed(buffer, std::string(kMaxLine, 'A'), kMaxLine);
    }
}

// After AUTH TLS nothing may be left over, not even half a line or the tail of a discarded one.
TEST(LineBuffer, IsEmptyOnlyWhenNothingIsHeld)
{
    for (const char* left_over : {"N", "NOOP", "\r", " ", "\n", "\r\n", "NOOP\r\n", "NOOP\r\nUS"}) {
        LineBuffer buffer(kMaxLine);
        const std::string input = "AUTH TLS\r\n"s + left_over;
        const auto space = buffer.free_space();
        ASSERT_LE(input.size(), kMaxLine + 2);
        const std::size_t size = std::min(input.size(), space.size());
        std::ranges::transform(input.substr(0, size), space.begin(), [](char c) { return static_cast<std::byte>(c); });
        buffer.commit(size);
        EXPECT_EQ(buffer.next().text, "AUTH TLS");
        EXPECT_FALSE(buffer.is_empty()) << "left over: " << left_over;
    }
}

TEST(LineBuffer, IsEmptyBetweenLines)
{
    LineBuffer buffer(kMaxLine);
    EXPECT_TRUE(buffer.is_empty());
    for (const char* input : {"AUTH TLS\r\n", "A\n", "\r\n"}) {
        feed(buffer, input, 1'000);
        EXPECT_TRUE(buffer.is_empty()) << input;
    }
}

TEST(LineBuffer, IsNotEmptyInsideAnOverLongLine)
{
    LineBuffer buffer(kMaxLine);
    feed(buffer, std::string(3 * kMaxLine, 'A'), 1'000);
    EXPECT_FALSE(buffer.is_empty());
    feed(buffer, "\n", 1);
    EXPECT_TRUE(buffer.is_empty());
}

TEST(LineBuffer, ReleasesItsMemoryOnlyBetweenLines)
{
    LineBuffer buffer(kMaxLine);
    feed(buffer, "NO", 2);
    buffer.release_if_empty();
    EXPECT_EQ(feed(buffer, "OP\r\n", 4), std::vector{"NOOP"s}) << "half a line survives";
    buffer.release_if_empty();
    EXPECT_EQ(feed(buffer, "PWD\r\n", 5), std::vector{"PWD"s}) << "works after giving the memory back";
    feed(buffer, std::string(40, 'A'), 40);
    buffer.release_if_empty();
    EXPECT_EQ(feed(buffer, "B\nC\n", 4), (std::vector{kTooLong, "C"s})) << "an over-long line is still remembered";
}

TEST(LineBuffer, NextOnANewBufferGivesNothing)
{
    LineBuffer buffer(kMaxLine);
    EXPECT_EQ(buffer.next().kind, LineBuffer::Line::Kind::none);
    buffer.release_if_empty();
    EXPECT_EQ(buffer.next().kind, LineBuffer::Line::Kind::none);
}

TEST(LineBuffer, HoldsMoreLinesThanOneReadTakes)
{
    LineBuffer buffer(1'000);
    std::string input;
    for (int i = 0; i < 200; ++i)
        input += std::to_string(i) + "\r\n";
    const auto lines = feed(buffer, input, 333);
    ASSERT_EQ(lines.size(), 200u);
    for (std::size_t i = 0; i < lines.size(); ++i)
        EXPECT_EQ(lines[i], std::to_string(i));
}

TEST(LineBuffer, MovesWithWhatItHolds)
{
    LineBuffer first(kMaxLine);
    feed(first, "NO", 2);
    LineBuffer second(std::move(first));
    EXPECT_EQ(feed(second, "OP\r\n", 4), std::vector{"NOOP"s});
}

} // namespace
} // namespace safetp::ftp
