#include "client/name_service.h"

#include "net/loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <sys/socket.h>

namespace safetp::client {
namespace {

class Names : public testing::Test {
protected:
    Names() : names_(loop_.executor(), start_name_helper().value()), tasks_(loop_.executor())
    {
        tasks_.spawn("names", names_.run());
    }

    net::Task<> ask(std::string host, Result<std::vector<IpAddress>>& answer)
    {
        std::string asker = "somebody";
        answer = co_await names_.look_up(std::move(host), std::move(asker));
    }

    /// Asks for all of them at once, and waits for all answers.
    std::vector<Result<std::vector<IpAddress>>> look_up(const std::vector<std::string>& hosts)
    {
        std::vector<Result<std::vector<IpAddress>>> answers(hosts.size(), fail(ErrorCode::cancelled));
        net::TaskGroup asking(loop_.executor());
        for (std::size_t i = 0; i < hosts.size(); ++i)
            asking.spawn("lookup", ask(hosts[i], answers[i]));
        loop_.run_until([&asking] { return asking.running() == 0; });
        return answers;
    }

    ~Names() override
    {
        names_.close();
        loop_.run_until([this] { return tasks_.running() == 0; });
    }

    net::test::Loop loop_;
    NameService names_;
    net::TaskGroup tasks_;
};

TEST_F(Names, AddressesNeedNoLookup)
{
    const auto answers = look_up({"192.0.2.1", "2001:db8::1"});
    EXPECT_EQ(answers[0].value(), std::vector{*IpAddress::parse("192.0.2.1")});
    EXPECT_EQ(answers[1].value(), std::vector{*IpAddress::parse("2001:db8::1")});
}

TEST_F(Names, LocalhostIsKnownEverywhere)
{
    for (const auto& answer : look_up({"localhost", "localhost", "localhost"})) {
        ASSERT_TRUE(answer) << describe(answer.error());
        EXPECT_TRUE(std::ranges::all_of(*answer, &IpAddress::is_loopback));
    }
}

TEST_F(Names, WhatIsNoNameIsRefusedAtOnce)
{
    for (const auto& answer : look_up({"", std::string(256, 'a'), std::string("local\0host", 10)}))
        EXPECT_EQ(answer.error().code, ErrorCode::bad_address);
}

TEST_F(Names, WithoutItsHelperItSaysSo)
{
    names_.close();
    EXPECT_EQ(look_up({"localhost"})[0].error().code, ErrorCode::supervisor);
}

/// The other end of a helper's socket that nobody answers at.
class SilentHelper : public testing::Test {
protected:
    SilentHelper()
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
            throw std::runtime_error("socketpair");
        helper_.reset(ends[1]);
        names_.emplace(loop_.executor(), UniqueFd(ends[0]), LookupLimits{.at_once = 8, .of_one_asker = 4});
    }

    net::Task<> ask(std::string asker)
    {
        const auto answer = co_await names_->look_up("ftp.example.com", std::move(asker));
        EXPECT_EQ(answer.error().code, ErrorCode::supervisor);
    }

    unsigned questions()
    {
        loop_.settle();
        unsigned count = 0;
        char message[1024];
        while (::recv(helper_.get(), message, sizeof message, 0) > 0)
            ++count;
        return count;
    }

    net::test::Loop loop_;
    UniqueFd helper_;
    std::optional<NameService> names_;
};

TEST_F(SilentHelper, IsAskedForAFewAtATimeAndNotForOneAskerOnly)
{
    net::TaskGroup asking(loop_.executor());
    for (int i = 0; i < 50; ++i)
        asking.spawn("lookup", ask("greedy"));
    EXPECT_EQ(questions(), 4u);
    asking.spawn("lookup", ask("modest"));
    EXPECT_EQ(questions(), 1u);
    for (int i = 0; i < 50; ++i)
        asking.spawn("lookup", ask("another"));
    EXPECT_EQ(questions(), 3u);
    names_->close();
    loop_.run_until([&asking] { return asking.running() == 0; });
}

} // namespace
} // namespace safetp::client
