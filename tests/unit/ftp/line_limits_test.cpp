#include "ftp/line_limits.h"

#include <gtest/gtest.h>

namespace safetp::ftp {
namespace {

constexpr std::uint64_t kGreeting = 0x1234567890abcdefu, kOther = 0xfedcba0987654321u;

TEST(LineLimits, KnowsWhatWasMeasuredBehindAGreeting)
{
    LineLimits limits{};
    EXPECT_EQ(limits.find(kGreeting), std::nullopt);
    EXPECT_EQ(limits.find(0), std::nullopt) << "no greeting yet";
    limits.learn(kGreeting, 508);
    limits.learn(kOther, 65536);
    EXPECT_EQ(limits.find(kGreeting), 508u);
    EXPECT_EQ(limits.find(kOther), 65536u);
    limits.learn(kGreeting, 4096);
    EXPECT_EQ(limits.find(kGreeting), 4096u);
    EXPECT_EQ(limits.find(kOther), 65536u);
}

TEST(LineLimits, ForgetsTheOldestOfEight)
{
    LineLimits limits{};
    for (std::uint64_t i = 1; i <= 9; ++i)
        limits.learn(i << 40, 500 + i);
    EXPECT_EQ(limits.find(1ull << 40), std::nullopt);
    for (std::uint64_t i = 2; i <= 9; ++i)
        EXPECT_EQ(limits.find(i << 40), 500 + i);
}

TEST(LineLimits, OneMeasuresAtATime)
{
    LineLimits limits{};
    EXPECT_TRUE(limits.claim(100, 200));
    EXPECT_FALSE(limits.claim(150, 250));
    EXPECT_TRUE(limits.claim(200, 300)) << "whoever did is thought dead";
    limits.set_free_again(210);
    EXPECT_FALSE(limits.claim(209, 300));
    EXPECT_TRUE(limits.claim(210, 300));
}

} // namespace
} // namespace safetp::ftp
