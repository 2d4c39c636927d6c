#include "supervisor/announced_names.h"

#include <gtest/gtest.h>

namespace safetp::supervisor {
namespace {

const IpAddress kOld = *IpAddress::parse("192.0.2.7");

TEST(AnnouncedNames, FindsWhatTheNameServiceKnows)
{
    const auto names = resolve_announced({"localhost"}, {});
    ASSERT_EQ(names.size(), 1u);
    EXPECT_EQ(names[0].first, "localhost");
    ASSERT_FALSE(names[0].second.empty());
    EXPECT_TRUE(names[0].second[0].is_loopback());
}

TEST(AnnouncedNames, ANewAnswerReplacesTheOldOne)
{
    const auto names = resolve_announced({"localhost"}, {{"localhost", {kOld}}});
    ASSERT_FALSE(names[0].second.empty());
    EXPECT_NE(names[0].second[0], kOld);
}

TEST(AnnouncedNames, WithoutAnAnswerTheOldOneStays)
{
    const auto names = resolve_announced({"localhost", "other"}, {{"localhost", {kOld}}}, std::chrono::milliseconds(0));
    ASSERT_EQ(names.size(), 2u);
    EXPECT_EQ(names[0].second, std::vector<IpAddress>{kOld});
    EXPECT_TRUE(names[1].second.empty());
}

TEST(AnnouncedNames, NothingToAsk) { EXPECT_TRUE(resolve_announced({}, {{"localhost", {kOld}}}).empty()); }

} // namespace
} // namespace safetp::supervisor
