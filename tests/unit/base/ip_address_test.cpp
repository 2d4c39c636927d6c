#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace safetp {
namespace {

TEST(IpAddress, MappedIpv6IsIpv4)
{
    EXPECT_EQ(*IpAddress::parse("::ffff:192.0.2.1"), *IpAddress::parse("192.0.2.1"));
    EXPECT_TRUE(IpAddress::parse("::ffff:192.0.2.1")->is_ipv4());
}

TEST(IpAddress, RefusesEverySpellingButTheStandardOnes)
{
    for (const char* text : {"", "1", "192.0.2", "0300.0.2.1", "0xc0.0.2.1", "192.0.2.256", "192.0.2.1 ", "[::1]",
             "fe80::1%eth0", "localhost", ":::", "1.2.3.4.5"})
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    using std::string_view_literals::operator""sv;
    EXPECT_FALSE(IpAddress::parse("192.0.2.1\0x"sv));
    EXPECT_FALSE(IpAddress::parse("::1\0"sv));
}

TEST(Network, ContainsByPrefix)
{
    EXPECT_TRUE(Network::parse("192.0.2.0/25")->contains(*IpAddress::parse("192.0.2.127")));
    EXPECT_FALSE(Network::parse("192.0.2.0/25")->contains(*IpAddress::parse("192.0.2.128")));
    EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("203.0.113.9")));
    EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
    EXPECT_TRUE(Network::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:7fff::1")));
    EXPECT_FALSE(Network::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:8000::1")));
    for (const char* text : {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/8x", "::/129", "/8"})
        EXPECT_FALSE(Network::parse(text)) << text;
}

TEST(Endpoint, RoundTripsThroughSocketAddresses)
{
    for (const char* text : {"192.0.2.1", "2001:db8::1", "127.0.0.1", "::1"}) {
        const Endpoint endpoint{*IpAddress::parse(text), 2121};
        EXPECT_EQ(*from_socket_address(to_socket_address(endpoint)), endpoint);
    }
    EXPECT_EQ((Endpoint{*IpAddress::parse("::1"), 21}.to_string()), "[::1]:21");
}

} // namespace
} // namespace safetp
