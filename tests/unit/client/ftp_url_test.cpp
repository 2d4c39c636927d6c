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
