#include "net/channel.h"

#include "net/loop.h"
#include "net/loopback.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <optional>

namespace safetp::net {
namespace {

using test::Loop;
using Kind = tls::IoStep::Kind;

class ChannelTest : public testing::Test {
protected:
    ChannelTest()
    {
        auto pair = test::tcp_pair();
        peer_ = std::move(pair.peer);
        channel_.emplace(loop_.executor(), std::move(pair.ours));
    }

    /// One waiter; its answer comes into `answer`.
    Task<> wait_for(Kind kind, std::optional<bool>& answer) { answer = co_await channel_->wait(kind); }

    void begin_to_wait(Kind kind, std::optional<bool>& answer)
    {
        tasks_.spawn("waiter", wait_for(kind, answer));
        loop_.settle();
    }

    Loop loop_;
    TaskGroup tasks_{loop_.executor()};
    UniqueFd peer_;
    std::optional<Channel> channel_;
};

TEST_F(ChannelTest, MakesItsDescriptorNonBlocking)
{
    EXPECT_NE(::fcntl(channel_->fd(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(channel_->is_open());
}

TEST_F(ChannelTest, WaitEndsWhenThereIsSomethingToRead)
{
    std::optional<bool> answer;
    begin_to_wait(Kind::want_read, answer);
    ASSERT_FALSE(answer) << "nothing has come";
    test::write_text(peer_.get(), "x");
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(*answer);
}

TEST_F(ChannelTest, WaitEndsAtThePeersEndToo)
{
    std::optional<bool> answer;
    begin_to_wait(Kind::want_read, answer);
    peer_.reset();
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(*answer);
}

TEST_F(ChannelTest, AFreshSocketCanBeWritten)
{
    std::optional<bool> answer;
    loop_.run(wait_for(Kind::want_write, answer));
    EXPECT_EQ(answer, true);
}

TEST_F(ChannelTest, AFullSocketCanBeWrittenOnceThePeerReads)
{
    const std::string block(65536, 'x');
    std::size_t sent = 0;
    const auto bytes = std::as_bytes(std::span(block));
    for (tls::IoStep step; (step = channel_->stream().try_write(bytes)).kind == Kind::done;)
        sent += step.bytes;
    std::optional<bool> answer;
    begin_to_wait(Kind::want_write, answer);
    ASSERT_FALSE(answer);
    while (sent > 0)
        sent -= test::read_some(peer_.get()).size();
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(*answer);
}

TEST_F(ChannelTest, CancelEndsEveryWaitAndLeavesTheChannelOpen)
{
    std::optional<bool> reader;
    std::optional<bool> other_reader;
    begin_to_wait(Kind::want_read, reader);
    begin_to_wait(Kind::want_read, other_reader);
    channel_->cancel_waits();
    loop_.run_until([&] { return reader.has_value() && other_reader.has_value(); });
    EXPECT_FALSE(*reader);
    EXPECT_FALSE(*other_reader);
    EXPECT_TRUE(channel_->is_open());
    test::write_text(peer_.get(), "x");
    std::optional<bool> later;
    loop_.run(wait_for(Kind::want_read, later));
    EXPECT_EQ(later, true) << "and it can be waited for again";
}

TEST_F(ChannelTest, CloseEndsTheWaitsAndSendsFin)
{
    std::optional<bool> answer;
    begin_to_wait(Kind::want_read, answer);
    channel_->close();
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_FALSE(*answer);
    EXPECT_FALSE(channel_->is_open());
    EXPECT_EQ(test::how_it_ended(peer_.get()), 0);
}

// The socket was readable when it was closed: the waiter must not take that for an answer.
TEST_F(ChannelTest, AWaitThatWasFulfilledJustBeforeTheCloseIsStillFalse)
{
    std::optional<bool> answer;
    begin_to_wait(Kind::want_read, answer);
    test::write_text(peer_.get(), "x");
    test::wait_readable(channel_->fd());
    channel_->close();
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_FALSE(*answer);
}

TEST_F(ChannelTest, WaitsAndCallsAfterTheCloseDoNothing)
{
    channel_->close();
    std::optional<bool> answer;
    loop_.run(wait_for(Kind::want_read, answer));
    EXPECT_EQ(answer, false);
    channel_->close();
    channel_->reset();
    channel_->cancel_waits();
    EXPECT_FALSE(channel_->is_open());
    EXPECT_EQ(channel_->fd(), -1);
}

TEST_F(ChannelTest, ResetIsSeenAsSuchByThePeer)
{
    std::optional<bool> answer;
    begin_to_wait(Kind::want_read, answer);
    channel_->reset();
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_FALSE(*answer);
    EXPECT_FALSE(channel_->is_open());
    EXPECT_EQ(test::how_it_ended(peer_.get()), ECONNRESET);
}

TEST_F(ChannelTest, DestructionClosesTheSocket)
{
    channel_.reset();
    EXPECT_EQ(test::how_it_ended(peer_.get()), 0);
}

// The kernel gives the lowest free number: the next socket has the old one's. It must be watched anew.
TEST_F(ChannelTest, ANumberThatIsUsedAnewIsWatchedAnew)
{
    const int number = channel_->fd();
    std::optional<bool> answer;
    begin_to_wait(Kind::want_read, answer);
    channel_->close();
    loop_.run_until([&] { return answer.has_value(); });
    auto pair = test::tcp_pair();
    UniqueFd peer(::fcntl(pair.peer.get(), F_DUPFD_CLOEXEC, number + 1)); // either end may have taken the number
    UniqueFd ours(::fcntl(pair.ours.get(), F_DUPFD_CLOEXEC, number + 1));
    pair = {};
    UniqueFd again(::fcntl(ours.get(), F_DUPFD_CLOEXEC, number));
    ASSERT_EQ(again.get(), number);
    ours.reset();
    channel_.emplace(loop_.executor(), std::move(again));
    answer.reset();
    begin_to_wait(Kind::want_read, answer);
    ASSERT_FALSE(answer);
    test::write_text(peer.get(), "x");
    loop_.run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(*answer);
}

} // namespace
} // namespace safetp::net
