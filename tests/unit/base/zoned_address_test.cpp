#include "base/zoned_address.h"

#include <gtest/gtest.h>
#include <net/if.h>

namespace safetp {
namespace {

TEST(ZonedAddress, HasAZoneBehindALinkLocalAddressOnly)
{
    const auto zoned = ZonedAddress::parse("FE80:0::1%eth0");
    ASSERT_TRUE(zoned);
    EXPECT_EQ(zoned->zone, "eth0");
    EXPECT_EQ(zoned->to_string(), "fe80::1%eth0");
    EXPECT_EQ(ZonedAddress::parse("febf::1%12")->zone, "12");
    EXPECT_EQ(ZonedAddress::parse("2001:db8::1")->to_string(), "2001:db8::1");
    EXPECT_EQ(ZonedAddress::parse("fe80::1")->to_string(), "fe80::1");
    for (const char* text : {"2001:db8::1%eth0", "192.0.2.1%eth0", "::1%lo", "fec0::1%eth0", "ff02::1%eth0", "fe80::1%", "eth0",
             "%eth0", "fe80::1%eth0%eth1", "fe80::1%eth 0", "fe80::1%../x", "fe80::1%a-name-that-is-too-long",
             "fe80::1%eth0:1"})
        EXPECT_FALSE(ZonedAddress::parse(text)) << text;
}

TEST(ZonedAddress, KnowsTheNumberOfItsInterface)
{
    const unsigned loopback = ::if_nametoindex("lo");
    ASSERT_NE(loopback, 0u);
    const auto address = parse_zoned_address("fe80::1%lo");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->scope(), loopback);
    EXPECT_EQ(parse_zoned_address("fe80::1%" + std::to_string(loopback)), *address);
    EXPECT_EQ(to_zoned_string({*address, 21}), "[fe80::1%lo]:21");
    EXPECT_EQ(to_zoned_string({*IpAddress::parse("fe80::1"), 21}), "[fe80::1]:21");
    EXPECT_EQ(*parse_zoned_address("192.0.2.1"), *IpAddress::parse("192.0.2.1"));
    EXPECT_NE(parse_zoned_address("fe80::1%nowhere").error().context.find("no interface nowhere"), std::string::npos);
    EXPECT_NE(parse_zoned_address("fe80::1").error().context.find("needs its interface"), std::string::npos);
    EXPECT_FALSE(parse_zoned_address("fe80::1%4294967295"));
}

} // namespace
} // namespace safetp
