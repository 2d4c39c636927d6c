#include "supervisor/announced_names.h"

#include "process/records.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace safetp::supervisor {
namespace {

const IpAddress kOld = *IpAddress::parse("192.0.2.7");
const IpAddress kOther = *IpAddress::parse("192.0.2.8");
const IpAddress kNew = *IpAddress::parse("203.0.113.9");
const IpAddress kLoopback = *IpAddress::parse("127.0.0.1");
const process::IdentityChange kNobodyElse;

using Places = std::vector<std::size_t>;

TEST(AnnouncedNames, FindsWhatTheNameServiceKnows)
{
    const auto names = resolve_announced({"localhost"}, {}, kNobodyElse);
    ASSERT_EQ(names.size(), 1u);
    EXPECT_EQ(names[0].first, "localhost");
    ASSERT_FALSE(names[0].second.empty());
    EXPECT_TRUE(names[0].second[0].is_loopback());
}

TEST(AnnouncedNames, AReloadWaitsForNothingThatIsKnown)
{
    const auto names = resolve_announced({"localhost"}, {{"localhost", {kOld}}}, kNobodyElse);
    EXPECT_EQ(names[0].second, std::vector<IpAddress>{kOld});
}

TEST(AnnouncedNames, WhatIsNotAnsweredInTimeStaysUnknown)
{
    const auto names = resolve_announced({"localhost", "other"}, {}, kNobodyElse, std::chrono::milliseconds(0));
    ASSERT_EQ(names.size(), 2u);
    EXPECT_TRUE(names[0].second.empty());
    EXPECT_TRUE(names[1].second.empty());
}

// A child that was taken over, or a name server with ever more addresses.
TEST(AnnouncedNames, AnAnswerWithoutEndIsCut)
{
    auto channel = process::make_channel().value();
    NameLookup lookup({"host"}, std::move(channel.first));
    const std::uint8_t record[] = {0, 0, 0, 0, 192, 0, 2, 7}; // host 0 in any order of octets
    std::size_t sent = 0;
    bool is_over = false;
    while (!is_over && sent < 100'000) {
        while (process::send_packet(channel.second.get(), std::as_bytes(std::span(record))))
            ++sent;
        is_over = lookup.read();
    }
    EXPECT_TRUE(is_over);
    EXPECT_LT(lookup.answer()[0].second.size(), 200u);
    EXPECT_GT(lookup.answer()[0].second.size(), 10u);
}

TEST(AnnouncedNames, NothingToAsk) { EXPECT_TRUE(resolve_announced({}, {{"localhost", {kOld}}}, kNobodyElse).empty()); }

TEST(AnnouncedAddress, ChangesWithTheAnswer)
{
    AnnouncedNames names{{"a", {kOld}}, {"b", {kOld}}};
    EXPECT_EQ(take_over({{"a", {kOld}}, {"b", {kNew}}}, names), Places{1});
    EXPECT_EQ(names[0].second.front(), kOld);
    EXPECT_EQ(names[1].second.front(), kNew);
}

TEST(AnnouncedAddress, StaysWithoutAnAnswer)
{
    AnnouncedNames names{{"a", {kOld}}, {"b", {kOld}}};
    EXPECT_EQ(take_over({{"a", {}}}, names), Places{});
    EXPECT_EQ(names[0].second.front(), kOld);
    EXPECT_EQ(names[1].second.front(), kOld);
}

TEST(AnnouncedAddress, IsNotTurnedByTheOrderOfSeveral)
{
    AnnouncedNames names{{"a", {kOld, kOther}}};
    EXPECT_EQ(take_over({{"a", {kOther, kOld}}}, names), Places{});
    EXPECT_EQ(names[0].second.front(), kOld);
    EXPECT_EQ(take_over({{"a", {kOther, kNew}}}, names), Places{0});
    EXPECT_EQ(names[0].second.front(), kOther);
}

TEST(AnnouncedAddress, IsThereAsSoonAsTheNameIsKnown)
{
    AnnouncedNames names{{"a", {}}};
    EXPECT_EQ(take_over({{"a", {kNew}}}, names), Places{0});
    EXPECT_EQ(names[0].second.front(), kNew);
}

/// Until the lookup under way is over, however long it takes.
Places wait_for_answer(NameWatch& watch, NameWatch::Clock::time_point now)
{
    Places changed;
    while (watch.descriptor() >= 0) {
        pollfd ready{watch.descriptor(), POLLIN, 0};
        ::poll(&ready, 1, -1);
        for (const std::size_t place : watch.look(now))
            changed.push_back(place);
    }
    return changed;
}

TEST(NameWatch, AsksAgainAndAgain)
{
    NameWatch watch;
    watch.configure({{"localhost", {kOld}}}, kNobodyElse);
    auto now = NameWatch::Clock::now();
    EXPECT_LE(watch.deadline(), now) << "what a reload has kept may be old";
    watch.look(now);
    EXPECT_EQ(wait_for_answer(watch, now), Places{0});
    EXPECT_EQ(watch.names()[0].second.front(), kLoopback);
    EXPECT_EQ(watch.deadline(), now + NameWatch::kInterval);
    EXPECT_EQ(watch.look(now), Places{});
    EXPECT_LT(watch.descriptor(), 0) << "it is not due";
    now += NameWatch::kInterval;
    watch.look(now);
    EXPECT_GE(watch.descriptor(), 0);
    EXPECT_EQ(wait_for_answer(watch, now), Places{});
}

TEST(NameWatch, AsksSoonerForWhatIsUnknown)
{
    NameWatch watch;
    watch.configure({{"", {}}}, kNobodyElse); // no name: there is no answer, and nobody is asked
    const auto now = NameWatch::Clock::now();
    watch.look(now);
    EXPECT_EQ(wait_for_answer(watch, now), Places{});
    EXPECT_EQ(watch.deadline(), now + NameWatch::kIntervalWhileUnknown);
}

TEST(NameWatch, GivesALookupUpThatTakesTooLong)
{
    NameWatch watch;
    watch.configure({{"localhost", {kOld}}}, kNobodyElse);
    const auto now = NameWatch::Clock::now();
    watch.look(now);
    ASSERT_GE(watch.descriptor(), 0);
    watch.look(now + kLookupLimit);
    EXPECT_LT(watch.descriptor(), 0);
}

TEST(NameWatch, WithoutNamesHasNothingToDo)
{
    NameWatch watch;
    watch.configure({}, kNobodyElse);
    EXPECT_EQ(watch.deadline(), std::nullopt);
    watch.look(NameWatch::Clock::now());
    EXPECT_LT(watch.descriptor(), 0);
}

} // namespace
} // namespace safetp::supervisor
