#include "proxy/doorstep.h"

#include "net/loop.h"

#include <gtest/gtest.h>

#include <optional>

namespace safetp::proxy {
namespace {

constexpr std::chrono::hours kForever{1};

TEST(Doorstep, HoldsNoMoreThanItsPlaces)
{
    net::test::Loop loop;
    Doorstep doorstep(loop.executor(), 2, kForever);
    std::optional<Doorstep::Place> first(std::in_place, doorstep);
    EXPECT_TRUE(doorstep.has_room());
    const Doorstep::Place second(doorstep);
    EXPECT_FALSE(doorstep.has_room());
    first.reset();
    EXPECT_TRUE(doorstep.has_room());
}

TEST(Doorstep, WhoWaitsIsToldWhenAPlaceIsFree)
{
    net::test::Loop loop;
    Doorstep doorstep(loop.executor(), 1, kForever);
    std::optional<Doorstep::Place> place(std::in_place, doorstep);
    net::TaskGroup tasks(loop.executor());
    tasks.spawn("first", doorstep.wait_for_room());
    tasks.spawn("second", doorstep.wait_for_room());
    loop.settle();
    EXPECT_EQ(tasks.running(), 2u);
    place.reset();
    loop.settle();
    EXPECT_EQ(tasks.running(), 1u) << "one place, one who is told";
    place.emplace(doorstep);
    place.reset();
    loop.run(tasks.all_done());
}

TEST(Doorstep, APlaceDoesNotCountForEver)
{
    net::test::Loop loop;
    Doorstep doorstep(loop.executor(), 1, std::chrono::milliseconds(1));
    const Doorstep::Place place(doorstep);
    for (int looks = 0; !doorstep.has_room(); ++looks) {
        ASSERT_LT(looks, 10'000) << "ten seconds, for a place that counts a millisecond";
        loop.run(doorstep.wait_for_room());
    }
}

} // namespace
} // namespace safetp::proxy
