#include "supervisor/refusal_log.h"

#include <gtest/gtest.h>

namespace safetp::supervisor {
namespace {

TEST(RefusalLog, SomeLinesAtOnceThenFewAndTheNextSaysHowManyAreMissing)
{
    RefusalLog log;
    auto now = RefusalLog::Clock::now();
    for (unsigned i = 0; i < RefusalLog::kAtOnce; ++i)
        EXPECT_EQ(log.take_line(now), 0u);
    for (unsigned i = 0; i < 100; ++i)
        EXPECT_EQ(log.take_line(now), std::nullopt);
    now += RefusalLog::kEach;
    EXPECT_EQ(log.take_line(now), 100u);
    EXPECT_EQ(log.take_line(now), std::nullopt);
    now += RefusalLog::kAtOnce * RefusalLog::kEach;
    EXPECT_EQ(log.take_line(now), 1u);
    EXPECT_EQ(log.take_line(now), 0u);
}

} // namespace
} // namespace safetp::supervisor
