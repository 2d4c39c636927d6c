#include "supervisor/address_argument.h"

#include <gtest/gtest.h>

namespace safetp::supervisor {
namespace {

TEST(AddressArgument, TakesPortsAndAddressesWithPorts)
{
    EXPECT_EQ(parse_address_argument("2121")->port, 2121);
    EXPECT_FALSE(parse_address_argument("2121")->address);
    EXPECT_EQ(*parse_address_argument("127.0.0.1:351")->address, *IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(parse_address_argument("127.0.0.1:351")->port, 351);
    EXPECT_EQ(*parse_address_argument("[::1]:65535")->address, *IpAddress::parse("::1"));
    EXPECT_NE(parse_address_argument("[fe80::1%lo]:21")->address->scope(), 0u);
}

TEST(AddressArgument, RefusesTheRest)
{
    for (const char* text : { "", "0", "65536", "-1", "+1", "21 ", " 21", "0x15", "21a", ":21", "127.0.0.1", "127.0.0.1:",
             "127.0.0.1:0", "::1", "::1:21", "[::1]", "[::1]:", "[127.0.0.1]:21", "[]:21", "localhost:21", "127.0.0.1:21:22",
             "[fe80::1]:21", "[fe80::1%nowhere]:21", "fe80::1%lo:21" })
        EXPECT_FALSE(parse_address_argument(text)) << text;
}

} // namespace
} // namespace safetp::supervisor
