#include "client/server_name.h"

#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

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
             Named{"FE80::1%Eth0", "[fe80::1%Eth0]:21"},
             Named{"[fe80:0::1%eth0]:990", "[fe80::1%eth0]:990"},
         }) {
        const auto name = ServerName::parse(text);
        ASSERT_TRUE(name) << text;
        EXPECT_EQ(name->to_string(), canonical);
        EXPECT_EQ(*ServerName::parse(canonical), *name) << "the canonical form names the same";
    }
}

/// What is remembered under a name is found again under it, whatever way the name was read.
TEST(ServerName, ItsCanonicalFormMadeTwiceIsTheSame)
{
    constexpr std::string_view kPieces[] = {"localhost", "LocalHost", ".", "..", ":", "::", "[", "]", "21", "021", "0", "1",
        "fe80", "%", "eth0", "%25", "127.0.0.1", "0x7f", "ffff:", "a", "A", "-", "_", "xn--", "65535", " ", "x.y"};
    std::mt19937 random(1); // always the same texts
    unsigned understood = 0;
    for (int round = 0; round < 50'000; ++round) {
        std::string text;
        for (auto pieces = random() % 6 + 1; pieces > 0; --pieces)
            text += kPieces[random() % std::size(kPieces)];
        const auto once = ServerName::parse(text);
        if (!once)
            continue;
        ++understood;
        const auto twice = ServerName::parse(once->to_string());
        ASSERT_TRUE(twice) << text << " -> " << once->to_string();
        ASSERT_EQ(*twice, *once) << text;
        const auto made = ServerName::make(once->host, once->port);
        ASSERT_TRUE(made) << text;
        ASSERT_EQ(*made, *once) << text;
    }
    EXPECT_GT(understood, 2'000u);
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
             "127.1", "12", "0x7f.1", "0x7f000001", "a.0X1F", "a.1", "localhost..", "a..", ".", "..",
             "[2001:db8::1%eth0]:21", "host%eth0", "[fe80::1%]:21", "[fe80::1%a b]:21",
             "user@host", "ftp://host", "h\xc3\xb6st", "*", "#host"}) {
        EXPECT_FALSE(ServerName::parse(text)) << text;
    }
    EXPECT_FALSE(ServerName::parse(std::string(254, 'a')));
    EXPECT_FALSE(ServerName::make("host", 0));
}

} // namespace
} // namespace safetp::client
