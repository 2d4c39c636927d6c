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

std::optional<NetrcLogin> find(std::string_view text, std::string_view host, std::string_view user = {})
{
    const auto found = find_in_netrc(text, host, user);
    EXPECT_TRUE(found) << text << ": " << found.error().context;
    return found.value_or(std::nullopt);
}

std::string complaint(std::string_view text)
{
    const auto found = find_in_netrc(text, "one.example", "");
    return found ? "" : found.error().context;
}

TEST(Netrc, FindsMachineAndUser)
{
    EXPECT_EQ(find(kText, "one.example")->password, "secret");
    EXPECT_EQ(find(kText, "one.example", "alice")->password, "secret");
    EXPECT_EQ(find(kText, "two.example", "bob")->password, "with \"space\" and \\");
    EXPECT_EQ(find(kText, "two.example", "carol")->password, "other");
    EXPECT_EQ(find(kText, "two.example")->user, "bob");
    EXPECT_EQ(find(kText, "three.example")->user, "anonymous");
    EXPECT_EQ(find("machine ONE.Example. login a password b", "one.example")->password, "b") << "one spelling";
    EXPECT_EQ(find("machine [2001:DB8::1] login a password b", "2001:db8::1")->password, "b");
}

TEST(Netrc, FindsNothingElse)
{
    EXPECT_FALSE(find(kText, "one.example", "mallory")) << "macros are not read";
    EXPECT_FALSE(find(kText, "three.example", "alice"));
    EXPECT_FALSE(find("", "one.example"));
    EXPECT_FALSE(find("machine", "one.example"));
    EXPECT_FALSE(find("machine one.example", "one.example"));
    EXPECT_FALSE(find("machine one.example.org login a password b", "one.example"));
    EXPECT_FALSE(find("macdef x\nmachine one.example login a", "one.example"));
    EXPECT_EQ(find("macdef x\r\nls\r\n\r\nmachine one.example login a password b\r\n", "one.example")->password, "b");
}

TEST(Netrc, ANumberSignIsACommentOnlyWhereAKeywordMayStand)
{
    EXPECT_EQ(find("machine one.example login bob password #s3cret\n", "one.example")->password, "#s3cret");
    EXPECT_EQ(find("machine one.example login #bob password x#y", "one.example")->user, "#bob");
    EXPECT_EQ(find("machine one.example login #bob password x#y", "one.example")->password, "x#y");
    EXPECT_EQ(find("machine one.example # ours\n login a # he\n password b # secret", "one.example")->password, "b");
    EXPECT_EQ(find("#machine one.example login a\nmachine one.example login b password c", "one.example")->user, "b");
}

TEST(Netrc, WithoutAPasswordThereIsNone)
{
    EXPECT_FALSE(find("machine one.example login bob", "one.example")->password) << "and not an empty one";
    EXPECT_EQ(find("machine one.example login bob password \"\"", "one.example")->password, "");
}

TEST(Netrc, SaysWhatItDoesNotUnderstand)
{
    EXPECT_NE(complaint("machine one.example login bob\n password").find("line 2: password has no value"), std::string::npos);
    EXPECT_NE(complaint("machine one.example login\n password x").find("line 1: login has no value"), std::string::npos);
    EXPECT_NE(complaint("machine one.example login bob password\nmachine two login x").find("no value"), std::string::npos);
    EXPECT_NE(complaint("machine one.example login bob password my secret").find("double quotes"), std::string::npos);
    EXPECT_NE(complaint("machine one.example login bob password \"secret\nmachine x").find("not closed"), std::string::npos);
    EXPECT_EQ(complaint("machine one.example login bob password\n secret"), "") << "netrc(5) lets a value begin a line";
    EXPECT_EQ(find("machine two.example port 990 password\nmachine one.example login a password b", "one.example")->user, "a")
        << "other machines' entries may be for other programs";
}

} // namespace
} // namespace safetp::client
