#include "client/netrc.h"

#include <gtest/gtest.h>

namespace safetp::client {
namespace {

constexpr const char* kText = "# mine\n"
                              "machine one.example login alice password secret\n"
                              "machine two.example\n  login bob\n  password \"with \\\"space\\\" and \\\\\"\n  account x\n"
                              "macdef init\nmachine one.example login mallory password wrong\n\n"
                              "machine two.example login carol password other\n"
                              "default login anonymous password me@\n";

TEST(Netrc, FindsMachineAndUser)
{
    EXPECT_EQ(find_in_netrc(kText, "one.example", "")->password, "secret");
    EXPECT_EQ(find_in_netrc(kText, "ONE.example", "alice")->password, "secret");
    EXPECT_EQ(find_in_netrc(kText, "two.example", "bob")->password, "with \"space\" and \\");
    EXPECT_EQ(find_in_netrc(kText, "two.example", "carol")->password, "other");
    EXPECT_EQ(find_in_netrc(kText, "two.example", "")->user, "bob");
    EXPECT_EQ(find_in_netrc(kText, "three.example", "")->user, "anonymous");
}

TEST(Netrc, FindsNothingElse)
{
    EXPECT_FALSE(find_in_netrc(kText, "one.example", "mallory")) << "macros are not read";
    EXPECT_FALSE(find_in_netrc(kText, "three.example", "alice"));
    EXPECT_FALSE(find_in_netrc("", "one.example", ""));
    EXPECT_FALSE(find_in_netrc("machine", "one.example", ""));
    EXPECT_FALSE(find_in_netrc("machine one.example", "one.example", ""));
    EXPECT_FALSE(find_in_netrc("machine one.example login \"", "one.example", ""));
    EXPECT_FALSE(find_in_netrc("machine one.example.org login a password b", "one.example", ""));
    EXPECT_FALSE(find_in_netrc("macdef x\nmachine one.example login a", "one.example", ""));
}

} // namespace
} // namespace safetp::client
