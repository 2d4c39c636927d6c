#include "ftp/reception.h"

#include <gtest/gtest.h>

namespace safetp::ftp {
namespace {

TEST(ParseProxyUser, DividesAtTheLastAt)
{
    const auto simple = parse_proxy_user("anna@ftp.example.com");
    ASSERT_TRUE(simple);
    EXPECT_EQ(simple->user, "anna");
    EXPECT_EQ(simple->server, "ftp.example.com");
    const auto mail = parse_proxy_user("anna@example.com@ftp.example.com:2121 ");
    ASSERT_TRUE(mail);
    EXPECT_EQ(mail->user, "anna@example.com");
    EXPECT_EQ(mail->server, "ftp.example.com:2121");
    EXPECT_EQ(parse_proxy_user("anna@[2001:db8::1]:21")->server, "[2001:db8::1]:21");
}

TEST(ParseProxyUser, WantsBoth)
{
    for (const std::string_view text : {"", "anna", "@", "anna@", "@ftp.example.com", "anna@  "})
        EXPECT_FALSE(parse_proxy_user(text)) << text;
}

std::string reply_to(std::string_view line) { return Reception(20).on_line(line).reply; }

TEST(Reception, AnswersWhatIsHarmless)
{
    EXPECT_TRUE(Reception::greeting().starts_with("220 "));
    EXPECT_TRUE(reply_to("NOOP").starts_with("200 "));
    EXPECT_TRUE(reply_to("syst").starts_with("215 "));
    EXPECT_TRUE(reply_to("HELP").starts_with("214 "));
    EXPECT_TRUE(reply_to("OPTS UTF8 ON").starts_with("200 "));
    EXPECT_TRUE(reply_to("CLNT old").starts_with("202 "));
    const std::string features = reply_to("FEAT");
    EXPECT_TRUE(features.starts_with("211-") && features.ends_with("\r\n211 End\r\n"));
    EXPECT_EQ(features.find("AUTH"), std::string::npos);
}

TEST(Reception, RefusesWhatNeedsAServer)
{
    for (const std::string_view line : {"PASS secret", "ACCT x", "PWD", "EPSV", "PORT 127,0,0,1,200,1", "RETR a", "STOR a",
             "SITE HELP", "REST 0", "TYPE I", "REIN", "HOST x", "PROT P"})
        EXPECT_TRUE(reply_to(line).starts_with("530 ")) << line;
    EXPECT_TRUE(reply_to("AUTH TLS").starts_with("504 "));
    EXPECT_TRUE(reply_to("").starts_with("500 "));
    EXPECT_TRUE(reply_to("USER an\rna@ftp.example.com").starts_with("500 "));
    EXPECT_TRUE(Reception(20).on_line_too_long().reply.starts_with("500 "));
}

TEST(Reception, LearnsTheServer)
{
    const auto answer = Reception(20).on_line("user anna@ftp.example.com:990");
    EXPECT_EQ(answer.reply, "");
    EXPECT_FALSE(answer.is_over);
    ASSERT_TRUE(answer.wanted);
    EXPECT_EQ(answer.wanted->user, "anna");
    EXPECT_EQ(answer.wanted->server, "ftp.example.com:990");
}

TEST(Reception, ExplainsUsersWithoutServer)
{
    for (const std::string_view line : {"USER anna", "USER", "USER anna@", "USER @ftp.example.com"}) {
        const auto answer = Reception(20).on_line(line);
        EXPECT_FALSE(answer.wanted) << line;
        EXPECT_EQ(answer.reply, "530 Please log in as USER name@server or name@server:port: no server was named.\r\n") << line;
    }
}

TEST(Reception, EndsWithQuitAndWithNonsense)
{
    EXPECT_TRUE(Reception(20).on_line("QUIT").is_over);
    EXPECT_TRUE(Reception(20).on_line("GET / HTTP/1.1").is_over);
    Reception reception(3);
    EXPECT_FALSE(reception.on_line("nonsense!").is_over);
    EXPECT_FALSE(reception.on_line("PASS x").is_over);
    EXPECT_FALSE(reception.on_line("NOOP").is_over);
    const auto last = reception.on_bad_name("no such name");
    EXPECT_TRUE(last.is_over);
    EXPECT_TRUE(last.reply.starts_with("421 "));
}

} // namespace
} // namespace safetp::ftp
