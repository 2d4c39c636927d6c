// The process that looks names up, in a thread, with a name service that the test plays.
#include "process/records.h"
#include "supervisor/messages.h"
#include "supervisor/resolver_process.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <thread>

namespace safetp::supervisor {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;

/// Lookups wait until the test opens the gate.
class NameService {
public:
    void operator()(const LookupRequest& request, LookupAnswer& answer)
    {
        std::unique_lock lock(mutex_);
        ++begun_;
        networks_.insert(request.address[0]);
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_open_; });
        std::strcpy(answer.value, request.address[0] == 9 ? "unknown" : "host.example");
        answer.is_member = request.kind == LookupKind::netgroup ? 1 : 0;
    }

    void open()
    {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }

    void wait_for(unsigned begun)
    {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return begun_ >= begun; })) << begun_;
    }

    unsigned begun()
    {
        const std::lock_guard lock(mutex_);
        return begun_;
    }

    /// The first byte of each address that was asked about.
    std::multiset<std::uint8_t> networks()
    {
        const std::lock_guard lock(mutex_);
        return networks_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_open_ = false;
    unsigned begun_ = 0;
    std::multiset<std::uint8_t> networks_;
};

class ResolverProcess : public testing::Test {
protected:
    ~ResolverProcess() override
    {
        names_.open();
        control_.reset();
        if (thread_.joinable())
            thread_.join();
    }

    void start()
    {
        auto control = process::make_channel();
        control_ = std::move(control->first);
        thread_ = std::thread([this, theirs = std::move(control->second)]() mutable {
            run_resolver(std::move(theirs), settings_, [this](const LookupRequest& request, LookupAnswer& answer) {
                names_(request, answer);
            });
        });
        line_ = new_line();
    }

    UniqueFd new_line()
    {
        auto line = process::make_channel();
        EXPECT_TRUE(send_notice(control_.get(), {NoticeKind::answer, 0, 0, 0}, line->first.get()));
        return std::move(line->second);
    }

    static LookupRequest question(std::uint32_t id, std::uint8_t first, LookupKind kind = LookupKind::name)
    {
        LookupRequest request{};
        request.kind = kind;
        request.id = id;
        request.address[0] = first;
        const auto deadline = steady_clock::now() + hours(1);
        request.deadline_ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.time_since_epoch()).count();
        return request;
    }

    void ask(const LookupRequest& request) { ask(line_, request); }
    static void ask(const UniqueFd& line, const LookupRequest& request)
    {
        ASSERT_EQ(::send(line.get(), &request, sizeof request, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof request));
    }

    LookupAnswer answer() { return answer(line_); }
    static LookupAnswer answer(const UniqueFd& line)
    {
        pollfd entry{line.get(), POLLIN, 0};
        LookupAnswer answer{};
        EXPECT_EQ(::poll(&entry, 1, 30'000), 1) << "no answer";
        EXPECT_EQ(::recv(line.get(), &answer, sizeof answer, MSG_DONTWAIT), static_cast<ssize_t>(sizeof answer));
        return answer;
    }

    NameService names_;
    ResolverSettings settings_;
    UniqueFd control_;
    UniqueFd line_;
    std::thread thread_;
};

TEST_F(ResolverProcess, AnswersWithTheQuestionsNumber)
{
    start();
    names_.open();
    ask(question(77, 1));
    const LookupAnswer got = answer();
    EXPECT_EQ(got.id, 77u);
    EXPECT_STREQ(got.value, "host.example");
    ask(question(78, 1, LookupKind::netgroup));
    EXPECT_EQ(answer().is_member, 1u);
}

TEST_F(ResolverProcess, OneQuestionIsAskedOnceForAllWhoWaitForIt)
{
    start();
    const UniqueFd other = new_line();
    ask(question(1, 1));
    names_.wait_for(1);
    ask(question(2, 1));
    ask(other, question(3, 1));
    ask(question(4, 2)); // after it all those before it have been taken
    names_.wait_for(2);
    names_.open();
    std::set<std::uint32_t> answered{answer().id, answer().id, answer().id};
    EXPECT_EQ(answered, (std::set<std::uint32_t>{1, 2, 4}));
    EXPECT_EQ(answer(other).id, 3u);
    EXPECT_EQ(names_.begun(), 2u);
}

TEST_F(ResolverProcess, RemembersWhatItFound)
{
    start();
    names_.open();
    for (std::uint32_t id = 1; id <= 5; ++id) {
        ask(question(id, 1));
        EXPECT_EQ(answer().id, id);
    }
    EXPECT_EQ(names_.begun(), 1u);
}

TEST_F(ResolverProcess, ForgetsInTime)
{
    settings_.cache_time = std::chrono::seconds(1);
    start();
    names_.open();
    ask(question(1, 1));
    EXPECT_EQ(answer().id, 1u);
    // The time counts from when the answer was kept, which is after it was sent.
    for (std::uint32_t id = 2; names_.begun() < 2; ++id) {
        ASSERT_LT(id, 6000u) << "a minute, and still remembered";
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        ask(question(id, 1));
        ASSERT_EQ(answer().id, id);
    }
}

TEST_F(ResolverProcess, RemembersNothingWhenToldSo)
{
    settings_.cache_time = std::chrono::seconds(0);
    start();
    names_.open();
    for (std::uint32_t id = 1; id <= 3; ++id) {
        ask(question(id, 1));
        EXPECT_EQ(answer().id, id);
    }
    EXPECT_EQ(names_.begun(), 3u);
}

TEST_F(ResolverProcess, WorksAtNoMoreThanItsThreadsAndKeepsNoMoreThanItsQueue)
{
    settings_.threads = 2;
    settings_.most_waiting = 3;
    start();
    for (std::uint8_t i = 1; i <= 2; ++i)
        ask(question(i, i));
    names_.wait_for(2);
    for (std::uint8_t i = 3; i <= 5; ++i)
        ask(question(i, i));
    ask(question(6, 6));
    const LookupAnswer refused = answer();
    EXPECT_EQ(refused.id, 6u);
    EXPECT_STREQ(refused.value, "unknown");
    EXPECT_EQ(names_.begun(), 2u);
    names_.open();
    for (int i = 0; i < 5; ++i)
        EXPECT_STREQ(answer().value, "host.example");
}

LookupRequest in_network(LookupRequest request, std::uint8_t network, std::uint8_t host)
{
    request.address[0] = network;
    request.address[3] = host;
    return request;
}

TEST_F(ResolverProcess, ANetworkWithoutAnswersHoldsNoOtherUp)
{
    settings_.threads = 8; // so two for one network
    start();
    std::uint32_t id = 0;
    for (std::uint8_t host = 1; host <= 20; ++host)
        ask(in_network(question(++id, 0), 77, host));
    for (std::uint8_t network = 1; network <= 6; ++network)
        ask(in_network(question(++id, 0), network, 1));
    names_.wait_for(8);
    const auto asked = names_.networks();
    EXPECT_EQ(asked, (std::multiset<std::uint8_t>{1, 2, 3, 4, 5, 6, 77, 77}));
    names_.open();
    std::set<std::uint32_t> answered;
    for (std::uint32_t i = 0; i < id; ++i)
        answered.insert(answer().id);
    EXPECT_EQ(answered.size(), id) << "those of the slow network too, in their turn";
}

TEST_F(ResolverProcess, AnIpv6SiteIsOneNetwork)
{
    settings_.threads = 8;
    start();
    for (std::uint8_t host = 1; host <= 20; ++host) {
        LookupRequest request = question(host, 0x20);
        request.is_ipv6 = 1;
        request.address[7] = host; // another /64 of the same /48
        ask(request);
    }
    ask(question(21, 1));
    names_.wait_for(3);
    EXPECT_EQ(names_.networks(), (std::multiset<std::uint8_t>{1, 0x20, 0x20}));
}

TEST_F(ResolverProcess, ANetworkGetsAQuarterOfTheQueue)
{
    settings_.threads = 4;
    settings_.most_waiting = 8;
    start();
    ask(in_network(question(1, 0), 77, 1));
    names_.wait_for(1);
    for (std::uint8_t host = 2; host <= 4; ++host)
        ask(in_network(question(host, 0), 77, host)); // two wait, one has no place
    const LookupAnswer refused = answer();
    EXPECT_EQ(refused.id, 4u);
    EXPECT_STREQ(refused.value, "unknown");
    ask(question(5, 1));
    names_.wait_for(2);
    EXPECT_EQ(names_.networks(), (std::multiset<std::uint8_t>{1, 77}));
}

TEST_F(ResolverProcess, AsksNothingThatNobodyWaitsForAnyMore)
{
    settings_.threads = 1;
    start();
    ask(question(1, 1));
    names_.wait_for(1);
    LookupRequest late = question(2, 2);
    late.deadline_ms = 0;
    ask(late);
    ask(question(3, 3));
    names_.open();
    EXPECT_EQ(answer().id, 1u);
    EXPECT_EQ(answer().id, 3u);
    EXPECT_EQ(names_.begun(), 2u);
}

TEST_F(ResolverProcess, AMalformedQuestionClosesTheLineAndNoOther)
{
    start();
    names_.open();
    const UniqueFd other = new_line();
    LookupRequest bad = question(1, 1);
    std::memset(bad.host, 'x', sizeof bad.host);
    ask(bad);
    pollfd entry{line_.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, 30'000), 1);
    char byte;
    EXPECT_EQ(::recv(line_.get(), &byte, 1, MSG_DONTWAIT), 0);
    ask(other, question(2, 1));
    EXPECT_EQ(answer(other).id, 2u);
}

TEST_F(ResolverProcess, EndsWhenTheSupervisorIsGone)
{
    start();
    names_.open();
    ask(question(1, 1));
    EXPECT_EQ(answer().id, 1u);
    control_.reset();
    thread_.join();
}

} // namespace
} // namespace safetp::supervisor
