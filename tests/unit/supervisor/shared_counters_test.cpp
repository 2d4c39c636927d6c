#include "supervisor/shared_counters.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace safetp::supervisor {
namespace {

using Refusal = SharedCounters::Refusal;
using Places = std::vector<SharedCounters::Place>;

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

/// Limits of which none is in the way.
config::Limits wide()
{
    config::Limits limits;
    limits.sessions = limits.sessions_per_client = 100'000;
    limits.startups = config::Startups{100'000, 0, 100'000};
    limits.connection_rate = {1'000'000, std::chrono::seconds(1)};
    return limits;
}

config::Limits sessions(unsigned count, unsigned per_client = 100'000)
{
    config::Limits limits = wide();
    limits.sessions = count;
    limits.sessions_per_client = per_client;
    return limits;
}

class SharedCountersTest : public testing::Test {
protected:
    /// Empty: admitted, and kept in `places`. Else why not.
    std::optional<Refusal> admit(unsigned in_row, const std::string& client, const config::Limits& limits)
    {
        auto place = counters.admit(in_row, ip(client), limits);
        if (!place)
            return place.error();
        places.push_back(std::move(*place));
        return {};
    }

    /// How many of `tries` come in, each from the next of these addresses ("2001:db8::{:x}").
    unsigned admitted(unsigned tries, const std::string& pattern, const config::Limits& limits)
    {
        unsigned count = 0;
        for (unsigned i = 0; i < tries; ++i)
            count += !admit(row, fmt::format(fmt::runtime(pattern), i), limits);
        return count;
    }

    SharedCounters counters = *SharedCounters::make();
    unsigned row = *counters.claim_row();
    unsigned other_row = *counters.claim_row();
    Places places;
};

TEST_F(SharedCountersTest, LimitsAllSessionsOverAllWorkers)
{
    EXPECT_EQ(admit(row, "192.0.2.1", sessions(2)), std::nullopt);
    EXPECT_EQ(admit(other_row, "192.0.2.2", sessions(2)), std::nullopt);
    EXPECT_EQ(admit(row, "192.0.2.3", sessions(2)), Refusal::sessions);
    EXPECT_EQ(counters.sessions(), 2u);
    places.pop_back();
    EXPECT_EQ(admit(row, "192.0.2.3", sessions(2)), std::nullopt);
}

TEST_F(SharedCountersTest, LimitsOneClientOverAllWorkersAndNoOther)
{
    EXPECT_EQ(admit(row, "192.0.2.1", sessions(100, 2)), std::nullopt);
    EXPECT_EQ(admit(other_row, "192.0.2.1", sessions(100, 2)), std::nullopt);
    EXPECT_EQ(admit(row, "192.0.2.1", sessions(100, 2)), Refusal::client);
    EXPECT_EQ(counters.sessions(), 2u);
    EXPECT_EQ(counters.startups(), 2u);
    places.pop_back();
    EXPECT_EQ(admit(row, "192.0.2.1", sessions(100, 2)), std::nullopt);
}

TEST_F(SharedCountersTest, AMappedAddressIsTheIpv4ClientItIs)
{
    EXPECT_EQ(admit(row, "192.0.2.1", sessions(100, 1)), std::nullopt);
    EXPECT_EQ(admit(row, "::ffff:192.0.2.1", sessions(100, 1)), Refusal::client);
}

TEST_F(SharedCountersTest, AnIpv6ClientIsItsSlash64AndItsWiderNetworksHaveALimitToo)
{
    EXPECT_EQ(admitted(9, "2001:db8:0:1::{:x}", sessions(1000, 1)), 1u);
    // Two of 16384 buckets collide now and then; that many do not.
    const unsigned of_slash_56 = admitted(9, "2001:db8:1:{:x}::1", sessions(1000, 1));
    EXPECT_GE(of_slash_56, 3u);
    EXPECT_LE(of_slash_56, 4u);
    const unsigned of_slash_48 = admitted(200, "2001:db8:2:{:x}00::1", sessions(1000, 1));
    EXPECT_GE(of_slash_48, 14u);
    EXPECT_LE(of_slash_48, 16u);
    EXPECT_GE(admitted(5, "2001:db8:{:x}3::1", sessions(1000, 1)), 4u) << "networks besides these are not hurt";
}

TEST_F(SharedCountersTest, SessionsWithoutALoginHaveTheirOwnLimitAndLeaveItWithTheLogin)
{
    config::Limits limits = wide();
    limits.sessions = 10;
    limits.startups = config::Startups{3, 100, 3};
    EXPECT_EQ(admitted(9, "192.0.2.{}", limits), 3u);
    EXPECT_EQ(admit(row, "192.0.2.100", limits), Refusal::startups);
    places.back().log_in();
    places.back().log_in(); // once is enough
    EXPECT_EQ(counters.startups(), 2u);
    EXPECT_EQ(admit(row, "192.0.2.100", limits), std::nullopt);
    EXPECT_EQ(admit(row, "192.0.2.101", limits), Refusal::startups);
    places.clear();
    EXPECT_EQ(counters.startups(), 0u);
    EXPECT_EQ(counters.sessions(), 0u);
}

TEST_F(SharedCountersTest, WhoeverKnocksWithoutEndLeavesOthersAChance)
{
    config::Limits limits = wide();
    limits.startups = config::Startups{100, 30, 200};
    EXPECT_EQ(admitted(100, "192.0.2.{}", limits), 100u);
    const unsigned further = admitted(60, "198.51.100.{}", limits);
    EXPECT_GT(further, 5u);  // with 30 to 80 percent refused, chance leads outside once in a thousand million runs
    EXPECT_LT(further, 57u);
}

TEST_F(SharedCountersTest, OfFewSessionsAllMayBeWithoutALogin)
{
    config::Limits limits;
    limits.sessions = 3;
    limits.connection_rate = {1000, std::chrono::seconds(1)};
    EXPECT_EQ(admitted(4, "192.0.2.{}", limits), 3u);
    limits.sessions = 2000;
    EXPECT_EQ(config::startups_of(limits), (config::Startups{500, 30, 1000}));
}

TEST_F(SharedCountersTest, ConnectionsThatLeadToNoLoginHaveARate)
{
    config::Limits limits = wide();
    limits.connection_rate = {5, std::chrono::hours(1)};
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(admit(row, "192.0.2.1", limits), std::nullopt);
        places.clear();
    }
    EXPECT_EQ(admit(row, "192.0.2.1", limits), Refusal::rate);
    EXPECT_EQ(counters.sessions(), 0u);
    EXPECT_EQ(admit(row, "192.0.2.2", limits), std::nullopt);
    limits.connection_rate = {5, std::chrono::seconds(1)}; // a reload: what was taken at the old rate is no debt of hours
    EXPECT_EQ(admit(row, "192.0.2.1", limits), Refusal::rate);
    bool is_let_in_again = false;
    for (int i = 0; i < 3000 && !is_let_in_again; ++i) {
        ::usleep(10'000);
        is_let_in_again = !admit(row, "192.0.2.1", limits);
    }
    EXPECT_TRUE(is_let_in_again);
}

TEST_F(SharedCountersTest, AConnectionThatLeadsToALoginCountsForNoRate)
{
    config::Limits limits = wide();
    limits.connection_rate = {5, std::chrono::hours(1)};
    for (const char* const client : {"192.0.2.1", "2001:db8::1"}) {
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(admit(row, client, limits), std::nullopt) << client << " " << i;
            places.back().log_in();
            places.clear();
        }
    }
}

TEST_F(SharedCountersTest, AWideNetworkHasARateOfItsOwn)
{
    config::Limits limits = wide();
    limits.connection_rate = {1, std::chrono::hours(1)};
    const unsigned of_slash_48 = admitted(200, "2001:db8:2:{:x}00::1", limits);
    EXPECT_GE(of_slash_48, 14u); // of 65536 buckets two collide now and then
    EXPECT_LE(of_slash_48, 16u);
    EXPECT_GE(admitted(5, "2001:db8:{:x}3::1", limits), 4u);
}

TEST_F(SharedCountersTest, ARawFtpdThatStillEndsCountsLikeItsSession)
{
    const config::Limits limits = sessions(3, 2);
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(admit(row, "192.0.2.1", limits), std::nullopt);
        ASSERT_TRUE(counters.add_server(ip("192.0.2.1"), limits));
    }
    EXPECT_FALSE(counters.add_server(ip("192.0.2.1"), limits));
    places.clear(); // the client has hung up
    EXPECT_EQ(admit(row, "192.0.2.1", limits), Refusal::client);
    ASSERT_EQ(admit(row, "192.0.2.2", limits), std::nullopt);
    ASSERT_TRUE(counters.add_server(ip("192.0.2.2"), limits));
    EXPECT_EQ(admit(row, "192.0.2.3", limits), Refusal::sessions);
    EXPECT_FALSE(counters.add_server(ip("192.0.2.3"), limits));
    counters.remove_server(ip("192.0.2.1"));
    EXPECT_EQ(admit(row, "192.0.2.1", limits), std::nullopt);
}

TEST_F(SharedCountersTest, RawFtpdsOfThoseWhoHungUpCountAmongTheSessionsWithoutALogin)
{
    config::Limits limits = wide();
    limits.startups = config::Startups{3, 100, 3};
    for (const char* const client : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
        ASSERT_EQ(admit(row, client, limits), std::nullopt);
        ASSERT_TRUE(counters.add_server(ip(client), limits));
    }
    EXPECT_EQ(admit(row, "192.0.2.4", limits), Refusal::startups);
    places.clear();
    EXPECT_EQ(admit(row, "192.0.2.4", limits), Refusal::startups);
    counters.remove_server(ip("192.0.2.1"));
    EXPECT_EQ(admit(row, "192.0.2.4", limits), std::nullopt);
}

/// Runs it in a child that then waits until `end` closes.
class Child {
public:
    explicit Child(const std::function<bool()>& does)
    {
        int done[2];
        int end[2];
        EXPECT_EQ(::pipe(done) + ::pipe(end), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(end[1]);
            const char result = does() ? 'y' : 'n';
            char nothing = 0;
            [[maybe_unused]] const ssize_t told = ::write(done[1], &result, 1);
            [[maybe_unused]] const ssize_t got = ::read(end[0], &nothing, 1);
            ::_exit(0);
        }
        ::close(done[1]);
        ::close(end[0]);
        end_.reset(end[1]);
        char result = 'n';
        EXPECT_EQ(::read(done[0], &result, 1), 1);
        EXPECT_EQ(result, 'y');
        ::close(done[0]);
    }
    Child(const Child&) = delete;
    ~Child() { end(); }
    void end()
    {
        end_.reset();
        if (pid_ > 0)
            ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    UniqueFd end_;
};

TEST_F(SharedCountersTest, ClearingADeadWorkersRowGivesBackWhatItHeld)
{
    const config::Limits limits = sessions(100, 4);
    Child worker([&] {
        counters.hold_row(other_row);
        return !admit(other_row, "192.0.2.1", limits) && !admit(other_row, "192.0.2.1", limits)
            && !admit(other_row, "192.0.2.1", limits);
    });
    EXPECT_EQ(admit(row, "192.0.2.1", limits), std::nullopt);
    EXPECT_EQ(admit(row, "192.0.2.1", limits), Refusal::client);
    EXPECT_EQ(counters.sessions_of(other_row), 3u);
    counters.clear_rows_of_the_dead();
    EXPECT_EQ(counters.sessions(), 4u) << "it lives";
    const pid_t pid = worker.pid();
    worker.end();
    counters.clear_row(other_row, pid);
    EXPECT_EQ(counters.sessions(), 1u);
    EXPECT_EQ(counters.startups(), 1u);
    EXPECT_EQ(counters.claim_row(), other_row);
}

TEST_F(SharedCountersTest, ARowThatAnotherHasTakenMeanwhileIsNotCleared)
{
    ASSERT_EQ(admit(row, "192.0.2.1", wide()), std::nullopt);
    counters.hold_row(row);
    Child another([&] {
        counters.clear_row(row, 1); // of a worker of its own that was there before
        return true;
    });
    EXPECT_EQ(counters.sessions(), 1u);
}

TEST_F(SharedCountersTest, ASuccessorCountsOnWithThePredecessorsWorkers)
{
    const config::Limits limits = sessions(3);
    ASSERT_EQ(admit(row, "192.0.2.1", limits), std::nullopt);
    const auto number = counters.next_session_number();
    Child successor([&] {
        auto taken = SharedCounters::take_over(UniqueFd(::fcntl(counters.descriptor(), F_DUPFD_CLOEXEC, 3)));
        if (!taken)
            return false;
        const auto own_row = taken->claim_row();
        if (!own_row || *own_row == row || *own_row == other_row || taken->next_session_number() != number + 1)
            return false;
        auto first = taken->admit(*own_row, ip("192.0.2.2"), limits);
        auto second = taken->admit(*own_row, ip("192.0.2.3"), limits);
        auto third = taken->admit(*own_row, ip("192.0.2.4"), limits);
        const bool is_right = first && second && !third && third.error() == Refusal::sessions;
        new Places; // what ends without a word leaves its counts
        new SharedCounters::Place(std::move(*first));
        new SharedCounters::Place(std::move(*second));
        return is_right && taken->add_server(ip("192.0.2.2"), limits);
    });
    EXPECT_EQ(admit(row, "192.0.2.5", limits), Refusal::sessions);
    successor.end();
    counters.clear_rows_of_the_dead(); // whoever owned them
    EXPECT_EQ(counters.sessions(), 1u);
    EXPECT_EQ(admit(row, "192.0.2.5", limits), std::nullopt);
}

TEST_F(SharedCountersTest, AMemoryOfAnotherLayoutIsNotTakenOver)
{
    EXPECT_FALSE(SharedCounters::take_over(UniqueFd()));
    EXPECT_FALSE(SharedCounters::take_over(UniqueFd(::memfd_create("too small", MFD_ALLOW_SEALING))));
    struct stat status{};
    ASSERT_EQ(::fstat(counters.descriptor(), &status), 0);
    UniqueFd empty(::memfd_create("zeros", MFD_ALLOW_SEALING));
    ASSERT_EQ(::ftruncate(empty.get(), status.st_size), 0);
    EXPECT_FALSE(SharedCounters::take_over(UniqueFd(::dup(empty.get())))) << "it could shrink";
    ASSERT_EQ(::fcntl(empty.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    const auto taken = SharedCounters::take_over(std::move(empty));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().context, "the older program counts in another way");
}

TEST_F(SharedCountersTest, ASuccessorThatFindsTooLittleRoomStartsAnew)
{
    for (unsigned i = 0; i < SharedCounters::kRows - SharedCounters::kMaxWorkers - 1; ++i)
        ASSERT_TRUE(counters.claim_row());
    EXPECT_FALSE(SharedCounters::take_over(UniqueFd(::dup(counters.descriptor()))));
    counters.clear_row(row, 0);
    EXPECT_TRUE(SharedCounters::take_over(UniqueFd(::dup(counters.descriptor()))));
}

TEST_F(SharedCountersTest, RacingWorkersNeverPassALimit)
{
    std::vector<pid_t> children;
    for (unsigned worker = 0; worker < 4; ++worker) {
        const unsigned own = *counters.claim_row();
        const pid_t pid = ::fork();
        ASSERT_GE(pid, 0);
        if (pid == 0) {
            for (unsigned i = 0; i < 1000; ++i)
                admit(own, "192.0.2.1", sessions(100'000, 10));
            ::_exit(static_cast<int>(places.size()));
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
