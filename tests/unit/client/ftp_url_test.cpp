#include "client/ftp_url.h"

#include <gtest/gtest.h>

namespace safetp::client {
namespace {

TEST(FtpUrl, TakesItsPartsApart)
{
    const auto url = FtpUrl::parse("ftp://us%40er:p%3Aw@FTP.example.com/dir/a%20file;type=i");
    ASSERT_TRUE(url) << url.error().context;
    EXPECT_EQ(url->server.to_string(), "ftp.example.com:21");
    EXPECT_FALSE(url->is_implicit);
    EXPECT_EQ(url->user, "us@er");
    EXPECT_EQ(url->password, "p:w");
    EXPECT_EQ(url->file_name, "a file");
    EXPECT_EQ(url->address.find("p%3Aw"), std::string::npos) << "no password in what may be shown";
}

TEST(FtpUrl, ImplicitTlsHasAPortOfItsOwn)
{
    EXPECT_EQ(FtpUrl::parse("ftps://host/f")->server.port, 990);
    EXPECT_TRUE(FtpUrl::parse("ftps://host/f")->is_implicit);
    EXPECT_EQ(FtpUrl::parse("ftps://host:2121/f")->server.port, 2121);
    EXPECT_EQ(FtpUrl::parse("ftp://[::1]:2121/f")->server.to_string(), "[::1]:2121");
    EXPECT_EQ(FtpUrl::parse("ftp://[fe80::1%25eth0]:2121/f")->server.to_string(), "[fe80::1%eth0]:2121");
    EXPECT_FALSE(FtpUrl::parse("ftp://host/f")->password);
    EXPECT_TRUE(FtpUrl::parse("ftp://host")->file_name.empty());
    EXPECT_TRUE(FtpUrl::parse("ftp://host/dir/")->file_name.empty());
}

TEST(FtpUrl, RefusesWhatIsNoFtpUrl)
{
    for (const char* text : {"", "host/file", "http://host/f", "file:///f", "FTP://host/f ", "ftp://", "ftp:///f",
             "ftp://host:0/f", "ftp://host:99999/f", "ftp://ho st/f", "ftp://host/a%0Db", "ftp://host/a%00b",
             "ftp://u%0As@host/f", "ftp://u:p%0D%0ADELE@host/f"})
        EXPECT_FALSE(FtpUrl::parse(text)) << text;
}

TEST(FtpUrl, AQuestionMarkStandsForItself)
{
    const auto url = FtpUrl::parse("ftp://us?er:pw?x@host/dir?a/report?v=2;type=i");
    ASSERT_TRUE(url) << url.error().context;
    EXPECT_EQ(url->user, "us?er");
    EXPECT_EQ(url->password, "pw?x");
    EXPECT_EQ(url->file_name, "report?v=2");
    EXPECT_EQ(url->address, "ftp://host/dir%3Fa/report%3Fv=2");
    EXPECT_EQ(FtpUrl::parse("ftp://host/dir?a/")->with_file("b?c")->address, "ftp://host/dir%3fa/b%3fc");
}

TEST(FtpUrl, WhatWouldBeLeftAwayIsRefusedWithWhatToWrite)
{
    const auto complaint = [](const char* text) { return FtpUrl::parse(text).error().context; };
    EXPECT_NE(complaint("ftp://host/a#b").find("%23"), std::string::npos);
    EXPECT_NE(complaint("ftp://user:se#cret@host/a").find("%23"), std::string::npos);
    EXPECT_EQ(complaint("ftp://user:se#cret@host/a").find("cret"), std::string::npos);
    EXPECT_NE(complaint("ftp://host/a b").find("%20"), std::string::npos);
    EXPECT_NE(complaint("ftp://good.example?@evil.example?/a").find("slash"), std::string::npos);
    EXPECT_NE(complaint("ftp://host?a/b").find("slash"), std::string::npos);
    EXPECT_NE(complaint("ftp://host/a;type=a").find("type=i"), std::string::npos);
    EXPECT_NE(complaint("ftp://host/a;type=d").find("type=i"), std::string::npos);
    EXPECT_EQ(FtpUrl::parse("ftp://host/a%23b")->file_name, "a#b");
}

TEST(FtpUrl, OnlyAnEndingOfTheNameIsAType)
{
    EXPECT_EQ(FtpUrl::parse("ftp://host/a;type=I")->file_name, "a");
    EXPECT_EQ(FtpUrl::parse("ftp://host/a;b;type=i")->address, "ftp://host/a%3Bb");
    EXPECT_EQ(FtpUrl::parse("ftp://host/a%3Btype=a")->file_name, "a;type=a") << "written so, it is a part of the name";
    EXPECT_EQ(FtpUrl::parse("ftp://host/d;type=a/b")->address, "ftp://host/d%3Btype=a/b");
}

TEST(FtpUrl, ComplaintsDoNotShowThePassword)
{
    for (const char* text : {"ftpx://user:secret@host/f", "ftp://user:secret@ho st/f", "ftp://user:secret%00@host/f"}) {
        const auto url = FtpUrl::parse(text);
        ASSERT_FALSE(url);
        EXPECT_EQ(url.error().context.find("secret"), std::string::npos) << text;
    }
}

TEST(FtpUrl, NamesAFileInADirectory)
{
    const auto url = FtpUrl::parse("ftp://user:pw@host/dir/");
    const auto file = url->with_file("a%b?c#d e");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->file_name, "a%b?c#d e");
    EXPECT_EQ(file->user, "user");
    EXPECT_EQ(file->password, "pw");
    EXPECT_EQ(FtpUrl::parse("ftp://host/dir")->with_file("")->address, "ftp://host/dir/");
}

} // namespace
} // namespace safetp::client
