#include "process/records.h"
#include "supervisor/messages.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace safetp::supervisor {
namespace {

class Messages : public testing::Test {
protected:
    Messages()
    {
        auto pair = process::make_channel();
        left = std::move(pair->first);
        right = std::move(pair->second);
    }

    void send_raw(const void* bytes, std::size_t count)
    {
        ASSERT_EQ(::send(left.get(), bytes, count, 0), static_cast<ssize_t>(count));
    }

    UniqueFd left;
    UniqueFd right;
};

TEST_F(Messages, RequestArrives)
{
    ASSERT_TRUE(send_request(left.get(), {RequestKind::start_server, 42}));
    const auto got = receive_request(right.get());
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->request.id, 42u);
    const auto nothing = receive_request(right.get());
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(*nothing);
}

Facts some_facts()
{
    Facts facts{};
    facts.version = 7;
    std::strcpy(facts.daemon, "safetpd");
    std::strcpy(facts.client_name, "client.example");
    facts.answer_count = Facts::kMaxAnswers;
    return facts;
}

TEST_F(Messages, FactsArriveWithTheirRequest)
{
    const Facts facts = some_facts();
    ASSERT_TRUE(send_request(left.get(), {RequestKind::run_command, 3, 7}, &facts));
    const auto got = receive_request(right.get());
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->request.version, 7u);
    EXPECT_STREQ((*got)->facts.client_name, "client.example");
    EXPECT_FALSE((*got)->passed);
}

TEST_F(Messages, TwistBringsTheConnection)
{
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const Facts facts = some_facts();
    ASSERT_TRUE(send_request(left.get(), {RequestKind::twist, 3}, &facts, null.get()));
    const auto got = receive_request(right.get());
    ASSERT_TRUE(got && *got);
    EXPECT_TRUE((*got)->passed);
}

TEST_F(Messages, FactsThatCannotBeAreRefused)
{
    const Facts good = some_facts();
    Facts endless = good;
    std::memset(endless.client_name, 'x', sizeof endless.client_name);
    Facts too_many = good;
    too_many.answer_count = Facts::kMaxAnswers + 1;
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto is_refused = [this] {
        const auto got = receive_request(right.get());
        return !got && got.error().code == ErrorCode::supervisor;
    };
    for (const Facts& facts : {endless, too_many}) {
        ASSERT_TRUE(send_request(left.get(), {RequestKind::start_server_for, 1}, &facts));
        EXPECT_TRUE(is_refused());
    }
    ASSERT_TRUE(send_request(left.get(), {RequestKind::run_command, 1})); // without facts
    EXPECT_TRUE(is_refused());
    ASSERT_TRUE(send_request(left.get(), {RequestKind::tables, 1}, &good)); // with facts that it has not
    EXPECT_TRUE(is_refused());
    ASSERT_TRUE(send_request(left.get(), {RequestKind::twist, 1}, &good)); // without the connection
    EXPECT_TRUE(is_refused());
    ASSERT_TRUE(send_request(left.get(), {RequestKind::run_command, 1}, &good, null.get()));
    EXPECT_TRUE(is_refused());
    ASSERT_TRUE(send_request(left.get(), {RequestKind::run_command, 1}, &good));
    EXPECT_FALSE(is_refused());
}

TEST_F(Messages, NoticeBringsADescriptorOfItsOwn)
{
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(send_notice(left.get(), {NoticeKind::answer, 7, 0, 0}, null.get()));
    ASSERT_TRUE(send_notice(left.get(), {NoticeKind::finish, 0, 0, 60}));
    const auto first = receive_notice(right.get());
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->notice.id, 7u);
    ASSERT_TRUE((*first)->passed);
    EXPECT_NE((*first)->passed.get(), null.get());
    EXPECT_EQ(::fcntl((*first)->passed.get(), F_GETFD), FD_CLOEXEC);
    const auto second = receive_notice(right.get());
    ASSERT_TRUE(second && *second);
    EXPECT_FALSE((*second)->passed);
    EXPECT_EQ((*second)->notice.value, 60u);
}

TEST_F(Messages, ClosedChannelIsSaidSo)
{
    left.reset();
    EXPECT_EQ(receive_request(right.get()).error().code, ErrorCode::peer_closed);
    EXPECT_EQ(receive_notice(right.get()).error().code, ErrorCode::peer_closed);
    EXPECT_FALSE(send_notice(right.get(), {NoticeKind::drain, 0, 0, 0}));
}

TEST_F(Messages, MalformedRequestsAreRefused)
{
    const Request good{RequestKind::start_server, 1};
    const Request unknown{static_cast<RequestKind>(99), 1};
    std::byte longer[sizeof good + 1]{};
    send_raw(&good, sizeof good - 1);
    EXPECT_EQ(receive_request(right.get()).error().code, ErrorCode::supervisor);
    send_raw(longer, sizeof longer);
    EXPECT_EQ(receive_request(right.get()).error().code, ErrorCode::supervisor);
    send_raw(&unknown, sizeof unknown);
    EXPECT_EQ(receive_request(right.get()).error().code, ErrorCode::supervisor);
    send_raw(&good, sizeof good);
    EXPECT_TRUE(receive_request(right.get()));
}

TEST_F(Messages, MalformedNoticesAreRefused)
{
    const Notice unknown{static_cast<NoticeKind>(0), 0, 0, 0};
    send_raw(&unknown, sizeof unknown);
    EXPECT_EQ(receive_notice(right.get()).error().code, ErrorCode::supervisor);
    send_raw(&unknown, 3);
    EXPECT_EQ(receive_notice(right.get()).error().code, ErrorCode::supervisor);
}

TEST_F(Messages, DescriptorsWithARequestAreRefusedAndClosed)
{
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
    const UniqueFd reader(pipe_ends[0]);
    UniqueFd writer(pipe_ends[1]);
    // A Notice of a Request's size does not exist, so the raw message is built here.
    Request request{RequestKind::start_server, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    iovec part{&request, sizeof request};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    const int passed = writer.get();
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    ASSERT_GT(::sendmsg(left.get(), &message, 0), 0);
    writer.reset();
    EXPECT_EQ(receive_request(right.get()).error().code, ErrorCode::supervisor);
    char byte;
    EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "the passed end is still open";
}

TEST_F(Messages, FullQueueDoesNotBlock)
{
    Result<void> sent;
    for (int i = 0; i < 100'000 && sent; ++i)
        sent = send_notice(left.get(), {NoticeKind::drain, 0, 0, 0});
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().os_error, EAGAIN);
}

} // namespace
} // namespace safetp::supervisor
