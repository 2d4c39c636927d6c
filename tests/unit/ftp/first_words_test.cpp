#include "ftp/first_words.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace safetp::ftp {
namespace {

using Verdict = FirstWords::Verdict;

/// What is judged of `said`, after `greeting`, and that it is judged alike however it is cut into pieces.
FirstWords::Decision judge(std::string_view greeting, std::string_view said)
{
    FirstWords words;
    for (const char byte : greeting) {
        if (words.on_server(std::string_view(&byte, 1)) != Verdict::open)
            return {.verdict = Verdict::other};
    }
    for (std::size_t bytes = 1; bytes <= said.size(); ++bytes) {
        const auto decision = words.on_client(said.substr(0, bytes));
        if (decision.verdict != Verdict::open) {
            EXPECT_EQ(words.on_client(said).verdict, decision.verdict) << said;
            return decision;
        }
    }
    return words.on_client(said);
}

TEST(FirstWordsTest, FtpIsAnsweredInFtp)
{
    constexpr std::string_view kGreetings[]{
        "220 ready\r\n", "220-many\r\n220 lines\r\n", "220\r\n", "230 in\r\n", "120 soon\r\n220 x\r\n"};
    constexpr std::string_view kSaid[]{
        "USER anna\r\n", "user anna\n", "FEAT\r\n", "AUTH TLS\r\n", "\r\nNOOP\r\nPASS x\r\n", "PASV\r\n"};
    for (const std::string_view greeting : kGreetings) {
        for (const std::string_view said : kSaid)
            EXPECT_EQ(judge(greeting, said).verdict, Verdict::ftp) << greeting << said;
    }
}

TEST(FirstWordsTest, OthersGreetAlike)
{
    for (const std::string_view said : {"EHLO x\r\n", "HELO x\r\n", "CLIENT x\r\n", "NOOP\r\nEHLO x\r\n", "USERS\r\n"})
        EXPECT_EQ(judge("220 ready\r\n", said).verdict, Verdict::other) << said;
    EXPECT_EQ(judge("220 ready\r\n", std::string_view("\0\1", 2)).verdict, Verdict::other);
}

TEST(FirstWordsTest, OthersGreetOtherwise)
{
    for (const std::string_view greeting : {"SSH-2.0-x\r\n", "+OK\r\n", "* OK IMAP\r\n", "22 x\r\n", "2200 x\r\n", "2"})
        EXPECT_EQ(judge(greeting, "USER anna\r\n").verdict, greeting == "2" ? Verdict::ftp : Verdict::other) << greeting;
}

TEST(FirstWordsTest, UserBeforeTheGreetingIsFtp)
{
    EXPECT_EQ(judge("", "USER anna\r\nPASS x\r\n").verdict, Verdict::ftp);
    EXPECT_EQ(judge("", "user anna\n").verdict, Verdict::ftp);
    EXPECT_EQ(judge("", "USER anna").verdict, Verdict::open);
    for (const std::string_view said : {"USER guest 0 * :irc\r\n", "GET / HTTP/1.1\r\n", "\x16\x03\x01", "UPGRADE\r\n"})
        EXPECT_EQ(judge("", said).verdict, Verdict::other) << said;
}

TEST(FirstWordsTest, WhatSaysNothingGoesOn)
{
    const auto decision = judge("220 ready\r\n", "NOOP\r\nHELP x\r\nUS");
    EXPECT_EQ(decision.verdict, Verdict::open);
    EXPECT_EQ(decision.harmless, 14u);
    EXPECT_EQ(judge("220 ready\r\n", "HELP " + std::string(600, 'x')).verdict, Verdict::other);
}

} // namespace
} // namespace safetp::ftp
