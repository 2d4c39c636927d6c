#include "supervisor/shared_counters.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace safetp::supervisor {
namespace {

using Admission = SharedCounters::Admission;

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

TEST(SharedCounters, LimitsAllSessionsOverAllWorkers)
{
    auto counters = *SharedCounters::make();
    EXPECT_EQ(counters.admit(0, ip("192.0.2.1"), 2, 9), Admission::admitted);
    EXPECT_EQ(counters.admit(7, ip("192.0.2.2"), 2, 9), Admission::admitted);
    EXPECT_EQ(counters.admit(255, ip("192.0.2.3"), 2, 9), Admission::too_many_sessions);
    EXPECT_EQ(counters.sessions(), 2u);
    counters.leave(7, ip("192.0.2.2"));
    EXPECT_EQ(counters.admit(255, ip("192.0.2.3"), 2, 9), Admission::admitted);
}

TEST(SharedCounters, LimitsOneClientOverAllWorkersAndNoOther)
{
    auto counters = *SharedCounters::make();
    EXPECT_EQ(counters.admit(0, ip("192.0.2.1"), 100, 2), Admission::admitted);
    EXPECT_EQ(counters.admit(1, ip("192.0.2.1"), 100, 2), Admission::admitted);
    EXPECT_EQ(counters.admit(2, ip("192.0.2.1"), 100, 2), Admission::too_many_from_client);
    EXPECT_EQ(counters.sessions(), 2u);
    counters.leave(0, ip("192.0.2.1"));
    EXPECT_EQ(counters.admit(2, ip("192.0.2.1"), 100, 2), Admission::admitted);
}

TEST(SharedCounters, Ipv6CountsByItsSlash64)
{
    auto counters = *SharedCounters::make();
    EXPECT_EQ(counters.admit(0, ip("2001:db8:0:1::1"), 100, 1), Admission::admitted);
    EXPECT_EQ(counters.admit(0, ip("2001:db8:0:1:ffff::2"), 100, 1), Admission::too_many_from_client);
    // Two of 8192 buckets collide once in 8192 runs; of five other networks all do once in 10^19.
    unsigned admitted = 0;
    for (const char* other : {"2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:4::1", "2001:db8:0:5::1", "2001:db8:0:6::1"})
        admitted += counters.admit(0, ip(other), 100, 1) == Admission::admitted;
    EXPECT_GE(admitted, 1u);
}

TEST(SharedCounters, ClearingAWorkerGivesBackWhatItHeld)
{
    auto counters = *SharedCounters::make();
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(counters.admit(4, ip("192.0.2.1"), 100, 4), Admission::admitted);
    EXPECT_EQ(counters.admit(5, ip("192.0.2.1"), 100, 4), Admission::admitted);
    counters.clear_worker(4);
    counters.clear_worker(200); // never used
    EXPECT_EQ(counters.sessions(), 1u);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(counters.admit(6, ip("192.0.2.1"), 100, 4), Admission::admitted);
    EXPECT_EQ(counters.admit(6, ip("192.0.2.1"), 100, 4), Admission::too_many_from_client);
    counters.leave(4, ip("192.0.2.1")); // after the clearing: must not wrap round
    EXPECT_EQ(counters.sessions(), 4u);
}

TEST(SharedCounters, AreSharedThroughForkAndSurviveACrash)
{
    auto counters = *SharedCounters::make();
    constexpr unsigned kChildren = 4;
    constexpr unsigned kEach = 500;
    std::vector<pid_t> children;
    for (unsigned worker = 0; worker < kChildren; ++worker) {
        const pid_t pid = ::fork();
        ASSERT_GE(pid, 0);
        if (pid == 0) {
            for (unsigned i = 0; i < kEach; ++i) {
                counters.next_session_number();
                if (counters.admit(worker, ip("192.0.2.1"), 100'000, 100'000) != Admission::admitted)
                    ::_exit(1);
            }
            ::_exit(0);
        }
        children.push_back(pid);
    }
    for (const pid_t pid : children) {
        int status = -1;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(counters.sessions(), kChildren * kEach);
    EXPECT_EQ(counters.next_session_number(), kChildren * kEach + 1);
    counters.clear_worker(2);
    EXPECT_EQ(counters.sessions(), (kChildren - 1) * kEach);
}

TEST(SharedCounters, RacingWorkersNeverPassALimit)
{
    auto counters = *SharedCounters::make();
    std::vector<pid_t> children;
    for (unsigned worker = 0; worker < 4; ++worker) {
        const pid_t pid = ::fork();
        ASSERT_GE(pid, 0);
        if (pid == 0) {
            int admitted = 0;
            for (unsigned i = 0; i < 1000; ++i)
                admitted += counters.admit(worker, ip("192.0.2.1"), 100'000, 10) == Admission::admitted;
            ::_exit(admitted);
        }
        children.push_back(pid);
    }
    int admitted = 0;
    for (const pid_t pid : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        admitted += WEXITSTATUS(status);
    }
    EXPECT_LE(admitted, 10);
    EXPECT_EQ(counters.sessions(), static_cast<unsigned>(admitted));
}

} // namespace
} // namespace safetp::supervisor
