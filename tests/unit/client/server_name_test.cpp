#include "client/server_name.h"

#include <gtest/gtest.h>

namespace safetp::client {
namespace {

struct Named {
    const char* text;
    const char* canonical;
};

TEST(ServerName, HasOneSpelling)
{
    for (const auto& [text, canonical] : {
             Named{"ftp.example.com", "ftp.example.com:21"},
             Named{"FTP.Example.COM.", "ftp.example.com:21"},
             Named{"ftp.example.com:2121", "ftp.example.com:2121"},
             Named{"under_score", "under_score:21"},
             Named{"192.0.2.1", "192.0.2.1:21"},
             Named{"192.0.2.1:65535", "192.0.2.1:65535"},
             Named{"2001:DB8::1", "[2001:db8::1]:21"},
             Named{"[2001:db8:0::1]", "[2001:db8::1]:21"},
             Named{"[2001:db8::1]:990", "[2001:db8::1]:990"},
             Named{"::ffff:192.0.2.1", "192.0.2.1:21"},
             Named{"3com.example", "3com.example:21"},
         }) {
        const auto name = ServerName::parse(text);
        ASSERT_TRUE(name) << text;
        EXPECT_EQ(name->to_string(), canonical);
        EXPECT_EQ(*ServerName::parse(canonical), *name) << "the canonical form names the same";
    }
}

TEST(ServerName, TakesTheDefaultPort)
{
    EXPECT_EQ(ServerName::parse("host", kImplicitPort)->port, 990);
    EXPECT_EQ(ServerName::parse("host:21", kImplicitPort)->port, 21);
}

TEST(ServerName, RefusesWhatIsNoServer)
{
    for (const char* text : {"", ":", ":21", "host:", "host:0", "host:65536", "host:21x", "host: 21", "host:-1", "ho st",
             "host\n", "-host", ".host", "a..b", "[::1", "::1]", "[host]", "[]:21", "[::1]21", "[::1]x:21", "192.0.2.300",
             "127.1", "12", "user@host", "ftp://host", "h\xc3\xb6st", "*", "#host"}) {
        EXPECT_FALSE(ServerName::parse(text)) << text;
    }
    EXPECT_FALSE(ServerName::parse(std::string(254, 'a')));
    EXPECT_FALSE(ServerName::make("host", 0));
}

} // namespace
} // namespace safetp::client
