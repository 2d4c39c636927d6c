#include "client/name_service.h"

#include "net/loop.h"

#include <gtest/gtest.h>

#include <algorithm>

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
        answer = co_await names_.look_up(std::move(host));
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

} // namespace
} // namespace safetp::client
