#include "ftp/path_tracker.h"

#include <gtest/gtest.h>

namespace safetp::ftp {
namespace {

class PathTrackerTest : public testing::Test {
protected:
    void exchange(std::string_view command, std::initializer_list<std::string_view> replies)
    {
        tracker_.on_sent(std::string(command) + "\r\n");
        for (const auto reply : replies)
            tracker_.on_server_line(reply);
    }
    std::string file() const { return tracker_.path_of("RETR", "file"); }

    PathTracker tracker_;
};

TEST_F(PathTrackerTest, KnowsNothingAtFirst)
{
    EXPECT_EQ(file(), "file");
    exchange("CWD dir", {"250 ok"});
    EXPECT_EQ(file(), "file");
}

TEST_F(PathTrackerTest, FollowsPwdAndCwd)
{
    exchange("PWD", {"257 \"/home/u\" is the current directory"});
    EXPECT_EQ(file(), "/home/u/file");
    EXPECT_EQ(tracker_.path_of("RETR", "/other"), "/other");
    EXPECT_EQ(tracker_.path_of("RETR", "~x/other"), "~x/other");
    exchange("CWD sub/", {"250-Welcome", "250 ok"});
    EXPECT_EQ(file(), "/home/u/sub/file");
    exchange("CWD nosuch", {"550 no"});
    EXPECT_EQ(file(), "/home/u/sub/file");
    exchange("XCWD /", {"250 ok"});
    EXPECT_EQ(file(), "/file");
}

TEST_F(PathTrackerTest, GoesUpOnlyWhereNoLinkCanBe)
{
    exchange("PWD", {"257 \"/a/b\""});
    exchange("CDUP", {"200 ok"});
    EXPECT_EQ(file(), "/a/file");
    exchange("CWD ..", {"250 ok"});
    EXPECT_EQ(file(), "/file");
    exchange("CWD link", {"250 ok"});
    exchange("CDUP", {"250 ok"});
    EXPECT_EQ(file(), "file");
}

TEST_F(PathTrackerTest, WhatItCannotFollowItForgets)
{
    for (const char* where : {"~", "~joe", "a/../b", ""}) {
        exchange("PWD", {"257 \"/a\""});
        exchange(std::string("CWD ") + where, {"250 ok"});
        EXPECT_EQ(file(), "file") << where;
    }
    exchange("PWD", {"257 \"/a\""});
    exchange("USER other", {"331 password?"});
    EXPECT_EQ(file(), "file");
}

TEST_F(PathTrackerTest, AQuoteIsDoubled)
{
    exchange("PWD", {R"(257 "/a""b/"" c" is where you are)"});
    EXPECT_EQ(file(), R"(/a"b/" c/file)");
    for (const char* reply : {"257 no quote", "257 \"unclosed", "257 \"relative\"", "257 \"/a\"\""}) {
        exchange("PWD", {reply});
        EXPECT_EQ(file(), "file") << reply;
    }
}

TEST_F(PathTrackerTest, MkdSaysNothingOfWhereOneIs)
{
    exchange("PWD", {"257 \"/a\""});
    exchange("MKD new", {"257 \"/a/new\" created"});
    EXPECT_EQ(file(), "/a/file");
}

TEST_F(PathTrackerTest, StouIsNamedByTheServer)
{
    exchange("PWD", {"257 \"/up\""});
    exchange("STOU x", {"150 FILE: x.1", "226 Transfer complete."});
    EXPECT_EQ(tracker_.path_of("STOU", "x"), "/up/x.1");
    exchange("STOU", {"125 ok"});
    EXPECT_EQ(tracker_.path_of("STOU", ""), "");
    exchange("STOU", {"150 Opening", "226 Transfer complete (unique file name:x.2)."});
    EXPECT_EQ(tracker_.path_of("STOU", ""), "/up/x.2");
    EXPECT_EQ(tracker_.path_of("STOR", "y"), "/up/y");
    exchange("STOU", {"250 FILE: /abs/name"});
    EXPECT_EQ(tracker_.path_of("STOU", ""), "/abs/name");
}

} // namespace
} // namespace safetp::ftp
