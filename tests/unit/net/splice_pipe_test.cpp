#include "net/splice_pipe.h"

#include "net/loopback.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>

namespace safetp::net {
namespace {

using Kind = tls::IoStep::Kind;

void make_non_blocking(int fd) { test::require(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "fcntl"); }

class SplicePipeTest : public testing::Test {
protected:
    SplicePipeTest()
    {
        make_non_blocking(source_.ours.get());
        make_non_blocking(sink_.ours.get());
    }

    /// What `bytes` of the sink's peer are; blocks until they are there.
    std::string arrived(std::size_t bytes)
    {
        std::string text(bytes, '\0');
        test::require(::recv(sink_.peer.get(), text.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes), "recv");
        return text;
    }

    test::SocketPair source_ = test::tcp_pair();
    test::SocketPair sink_ = test::tcp_pair();
    SplicePipe pipe_ = test::value_of(SplicePipe::make());
};

TEST_F(SplicePipeTest, BytesGoThroughUnchanged)
{
    EXPECT_EQ(pipe_.try_fill(source_.ours.get()).kind, Kind::want_read);
    EXPECT_TRUE(pipe_.is_empty());
    ASSERT_EQ(::send(source_.peer.get(), "two\0words", 9, 0), 9);
    tls::IoStep step;
    while ((step = pipe_.try_fill(source_.ours.get())).kind == Kind::want_read)
        continue;
    ASSERT_EQ(step.kind, Kind::done);
    EXPECT_EQ(step.bytes, 9u);
    EXPECT_FALSE(pipe_.is_empty());
    step = pipe_.try_drain(sink_.ours.get());
    ASSERT_EQ(step.kind, Kind::done);
    EXPECT_EQ(step.bytes, 9u);
    EXPECT_TRUE(pipe_.is_empty());
    EXPECT_EQ(arrived(9), std::string("two\0words", 9));
}

TEST_F(SplicePipeTest, AFinIsAnOrderlyEnd)
{
    ::shutdown(source_.peer.get(), SHUT_WR);
    tls::IoStep step;
    while ((step = pipe_.try_fill(source_.ours.get())).kind == Kind::want_read)
        continue;
    EXPECT_EQ(step.kind, Kind::eof);
}

TEST_F(SplicePipeTest, AResetIsAFailure)
{
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(source_.peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    source_.peer.reset();
    tls::IoStep step;
    while ((step = pipe_.try_fill(source_.ours.get())).kind == Kind::want_read)
        continue;
    ASSERT_EQ(step.kind, Kind::failed);
    EXPECT_EQ(step.error.code, ErrorCode::connection_reset);
}

TEST_F(SplicePipeTest, AFullSocketWantsToWriteAndNothingIsLost)
{
    const std::string chunk(100'000, 'x');
    std::size_t sent = 0;
    std::size_t moved = 0;
    tls::IoStep step;
    make_non_blocking(source_.peer.get());
    do { // until neither the sink's kernel nor the pipe takes any more
        if (const ssize_t bytes = ::send(source_.peer.get(), chunk.data(), chunk.size(), 0); bytes > 0)
            sent += static_cast<std::size_t>(bytes);
        step = pipe_.is_empty() ? pipe_.try_fill(source_.ours.get()) : pipe_.try_drain(sink_.ours.get());
        moved += pipe_.is_empty() && step.kind == Kind::done ? step.bytes : 0;
    } while (step.kind != Kind::want_write);
    EXPECT_FALSE(pipe_.is_empty());
    EXPECT_GT(sent, moved);
    while (arrived(1) == "x" && step.kind == Kind::want_write)
        step = pipe_.try_drain(sink_.ours.get());
    EXPECT_EQ(step.kind, Kind::done);
}

} // namespace
} // namespace safetp::net
