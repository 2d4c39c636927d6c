#include "net/tasks.h"

#include "net/loop.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace safetp::net {
namespace {

using test::Loop;

Task<> wait_for(Event& event, int& times)
{
    co_await event.wait();
    ++times;
}

TEST(EventTest, AnAnnouncementIsKept)
{
    Loop loop;
    Event event(loop.executor());
    int times = 0;
    event.notify();
    loop.run(wait_for(event, times));
    EXPECT_EQ(times, 1);
}

TEST(EventTest, AnAnnouncementEndsOneWaitAndSeveralAreOne)
{
    Loop loop;
    Event event(loop.executor());
    TaskGroup tasks(loop.executor());
    int times = 0;
    event.notify();
    event.notify();
    loop.run(wait_for(event, times));
    tasks.spawn("second", wait_for(event, times));
    loop.settle();
    EXPECT_EQ(times, 1) << "nothing new was announced";
    event.notify();
    loop.run(tasks.all_done());
    EXPECT_EQ(times, 2);
}

TEST(EventTest, AnAnnouncementBetweenWaitAndWakingIsNotLost)
{
    Loop loop;
    Event event(loop.executor());
    TaskGroup tasks(loop.executor());
    int times = 0;
    tasks.spawn("first", wait_for(event, times));
    loop.settle();
    ASSERT_EQ(times, 0);
    event.notify();
    event.notify();
    loop.run(tasks.all_done());
    EXPECT_EQ(times, 1);
    EXPECT_EQ(tasks.running(), 0u);
}

Task<> fail_with_an_exception()
{
    throw std::runtime_error("the reason");
    co_return;
}

Task<> fail_with_a_number()
{
    throw 5;
    co_return;
}

Task<> note_all_done(TaskGroup& tasks, bool& is_done)
{
    co_await tasks.all_done();
    is_done = true;
}

TEST(TaskGroupTest, NothingSpawnedIsDone)
{
    Loop loop;
    TaskGroup tasks(loop.executor());
    loop.run(tasks.all_done());
    EXPECT_EQ(tasks.running(), 0u);
}

TEST(TaskGroupTest, AllDoneWaitsForTheLast)
{
    Loop loop;
    TaskGroup tasks(loop.executor());
    TaskGroup watchers(loop.executor());
    Event first(loop.executor());
    Event second(loop.executor());
    int times = 0;
    bool is_done = false;
    tasks.spawn("first", wait_for(first, times));
    tasks.spawn("second", wait_for(second, times));
    EXPECT_EQ(tasks.running(), 2u) << "spawned is running, begun or not";
    watchers.spawn("watcher", note_all_done(tasks, is_done));
    loop.settle();
    EXPECT_FALSE(is_done);
    first.notify();
    loop.settle();
    EXPECT_EQ(times, 1);
    EXPECT_FALSE(is_done);
    second.notify();
    loop.run(watchers.all_done());
    EXPECT_TRUE(is_done);
    EXPECT_EQ(tasks.running(), 0u);
}

TEST(TaskGroupTest, AnExceptionIsLoggedWithTheTasksNameAndGoesNoFurther)
{
    Loop loop;
    TaskGroup tasks(loop.executor());
    testing::internal::CaptureStderr();
    tasks.spawn("data connection", fail_with_an_exception());
    tasks.spawn("client reader", fail_with_a_number());
    loop.run(tasks.all_done());
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("data connection ended by an exception: the reason"), std::string::npos) << log;
    EXPECT_NE(log.find("client reader ended by an exception: unknown exception"), std::string::npos) << log;
}

} // namespace
} // namespace safetp::net
