#include "supervisor/plan.h"

#include "base/unique_fd.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RespawnDelay, FirstAtOnceThenDoublesToItsLimit)
{
    RespawnDelay delay;
    std::vector<long> waits;
    for (int i = 0; i < 9; ++i)
        waits.push_back(delay.next(milliseconds(50)).count());
    EXPECT_EQ(waits, (std::vector<long>{0, 1, 2, 4, 8, 16, 30, 30, 30}));
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(delay.next(milliseconds(0)), RespawnDelay::kLongest);
}

TEST(RespawnDelay, LongLifeForgives)
{
    RespawnDelay delay;
    delay.next(milliseconds(1));
    delay.next(milliseconds(1));
    EXPECT_EQ(delay.next(milliseconds(9999)), seconds(2));
    EXPECT_EQ(delay.next(seconds(10)), seconds(0));
    EXPECT_EQ(delay.next(milliseconds(1)), seconds(0));
    EXPECT_EQ(delay.next(milliseconds(1)), seconds(1));
}

config::Listener listener(const char* address, std::uint16_t port)
{
    config::Listener result;
    if (*address != '\0')
        result.address = *IpAddress::parse(address);
    result.port = port;
    return result;
}

Endpoint endpoint(const char* address, std::uint16_t port) { return {*IpAddress::parse(address), port}; }

using Matches = std::vector<std::optional<std::size_t>>;

TEST(MatchInherited, ByAddressAndPortWhateverTheOrder)
{
    EXPECT_EQ(match_inherited({listener("", 21), listener("127.0.0.1", 990)}, {endpoint("127.0.0.1", 990), endpoint("::", 21)}),
        (Matches{1, 0}));
    EXPECT_EQ(match_inherited({listener("", 21)}, {endpoint("0.0.0.0", 21)}), (Matches{0}));
}

TEST(MatchInherited, ElseByOrder)
{
    EXPECT_EQ(match_inherited({ listener("", 21), listener("", 990) }, { endpoint("::", 2121), endpoint("::", 9990) }),
        (Matches{ 0, 1 }));
    // The exact one is never taken away by one that stands before it.
    EXPECT_EQ(match_inherited({ listener("", 2121), listener("", 990) }, { endpoint("::", 990), endpoint("::", 5) }),
        (Matches{ 1, 0 }));
}

TEST(MatchInherited, TooFewOrNone)
{
    EXPECT_EQ(match_inherited({listener("", 21), listener("", 990)}, {endpoint("::", 990)}), (Matches{std::nullopt, 0}));
    EXPECT_EQ(match_inherited({listener("", 21)}, {}), (Matches{std::nullopt}));
    EXPECT_EQ(match_inherited({}, {endpoint("::", 990)}), Matches{});
}

TEST(SocketsOfWorker, EverySocketIsServedAndNobodyIsIdle)
{
    for (unsigned workers = 1; workers <= 5; ++workers) {
        for (std::size_t sockets = 1; sockets <= 7; ++sockets) {
            std::set<std::size_t> served;
            for (unsigned index = 0; index < workers; ++index) {
                const auto own = sockets_of_worker(index, workers, sockets);
                EXPECT_FALSE(own.empty());
                served.insert(own.begin(), own.end());
            }
            EXPECT_EQ(served.size(), sockets) << workers << " workers";
        }
    }
    EXPECT_TRUE(sockets_of_worker(0, 1, 0).empty());
}

TEST(FileWatch, SaysChangedOnceAndOnlyWhenSettled)
{
    const FileStamp old{1, 10, 1}, half{2, 5, 1}, fresh{3, 10, 1};
    FileWatch watch;
    watch.start({old});
    EXPECT_FALSE(watch.has_changed({old}));
    EXPECT_FALSE(watch.has_changed({half}));
    EXPECT_FALSE(watch.has_changed({fresh}));
    EXPECT_TRUE(watch.has_changed({fresh}));
    EXPECT_FALSE(watch.has_changed({fresh}));
    EXPECT_FALSE(watch.has_changed({FileStamp{}})); // gone
    EXPECT_TRUE(watch.has_changed({FileStamp{}}));
    EXPECT_FALSE(watch.has_changed({FileStamp{}}));
}

TEST(FileWatch, BackToTheAcceptedIsNoChange)
{
    const FileStamp old{1, 10, 1}, other{2, 5, 1};
    FileWatch watch;
    watch.start({old});
    EXPECT_FALSE(watch.has_changed({other}));
    EXPECT_FALSE(watch.has_changed({old}));
    EXPECT_FALSE(watch.has_changed({old}));
}

TEST(LookAt, SeesAChangeOfRights)
{
    char path[] = "/tmp/safetp-look-at-XXXXXX";
    const UniqueFd file(::mkstemp(path));
    ::fchmod(file.get(), 0644); // a key that is refused until somebody mends this
    const FileStamp before = look_at(path);
    ::fchmod(file.get(), 0600);
    EXPECT_NE(look_at(path), before);
    ::unlink(path);
}

TEST(LookAt, MissingFileHasNoStamp) { EXPECT_EQ(look_at("/nonexistent/file"), FileStamp{}); }

} // namespace
} // namespace safetp::supervisor
