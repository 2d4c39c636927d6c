#include "base/unique_fd.h"
#include "supervisor/replay.h"

#include <gtest/gtest.h>

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace safetp::supervisor {
namespace {

std::vector<std::byte> compiled(const std::string& allow, const std::string& deny = "")
{
    access::TableFiles files;
    files.allow = {access::FileText::State::text, allow, 0};
    files.deny = {access::FileText::State::text, deny, 0};
    return access::compile(files, access::Reading::safe);
}

Facts facts_of(const char* address, const char* name = "unknown", const char* user = "unknown")
{
    Facts facts{};
    std::strcpy(facts.daemon, "safetpd");
    std::strcpy(facts.client_address, address);
    std::strcpy(facts.server_address, "192.0.2.21");
    std::strcpy(facts.client_name, name);
    std::strcpy(facts.server_name, "unknown");
    std::strcpy(facts.client_user, user);
    facts.client_port = 40000;
    facts.server_port = 21;
    return facts;
}

TEST(Replay, ComesToTheVerdictOfTheTables)
{
    const auto image = compiled("safetpd: 192.0.2.1\nsafetpd: bob@.example.org\n", "ALL: ALL\n");
    EXPECT_TRUE(replay(image, facts_of("192.0.2.1"))->verdict->granted());
    EXPECT_FALSE(replay(image, facts_of("192.0.2.2"))->verdict->granted());
    EXPECT_TRUE(replay(image, facts_of("192.0.2.2", "a.example.org", "bob"))->verdict->granted());
    EXPECT_FALSE(replay(image, facts_of("192.0.2.2", "a.example.org", "eve"))->verdict->granted());
}

TEST(Replay, CollectsWhatTheRawFtpdGets)
{
    const auto image = compiled("safetpd: ALL: setenv A %a: umask 027: nice 4: setenv B two words\n");
    const auto replayed = replay(image, facts_of("192.0.2.1"));
    ASSERT_TRUE(replayed);
    const ServerEffects expected{{{"A", "192.0.2.1"}, {"B", "two words"}}, 027u, 4};
    EXPECT_EQ(replayed->effects, expected);
}

TEST(Replay, StopsAtTheCommandBehindTheLastAnswer)
{
    const auto image = compiled("safetpd: ALL: aclexec first %a: spawn second: spawn third\n");
    Facts facts = facts_of("192.0.2.1");
    EXPECT_EQ(replay(image, facts)->command, "first 192.0.2.1");
    facts.answer_count = 1;
    EXPECT_EQ(replay(image, facts)->command, "second");
    facts.answer_count = 2;
    EXPECT_EQ(replay(image, facts)->command, "third");
    facts.answer_count = 3;
    EXPECT_FALSE(replay(image, facts)->command);
    EXPECT_TRUE(replay(image, facts)->verdict->granted());
}

TEST(Replay, AFailedAclexecLeadsOn)
{
    const auto image = compiled("safetpd: ALL: aclexec first\n", "ALL: ALL: twist second %c\n");
    Facts facts = facts_of("192.0.2.1");
    facts.answer_count = 1;
    facts.answers[0] = 1;
    const auto replayed = replay(image, facts);
    ASSERT_TRUE(replayed && replayed->verdict);
    EXPECT_EQ(replayed->verdict->outcome, access::Outcome::twisted);
    EXPECT_EQ(replayed->verdict->twist, "second 192.0.2.1");
}

/// %h is the name only where a rule has asked for it: a name that was known before the evaluation is another thing.
TEST(Replay, FactsAreGivenWhenTheyAreAskedForAsTheyWere)
{
    const auto image = compiled("safetpd: ALL: spawn hello %h\n");
    Facts facts = facts_of("192.0.2.1", "a.example.org");
    EXPECT_EQ(replay(image, facts)->command, "hello 192.0.2.1");
    facts.is_name_known = 1;
    EXPECT_EQ(replay(image, facts)->command, "hello a.example.org");
}

TEST(Replay, NetgroupsAreAnswersToo)
{
    const auto image = compiled("safetpd: @friends: spawn hello\n", "ALL: ALL\n");
    Facts facts = facts_of("192.0.2.1");
    EXPECT_FALSE(replay(image, facts)) << "an answer is missing";
    facts.answer_count = 1;
    facts.answers[0] = 1;
    EXPECT_EQ(replay(image, facts)->command, "hello");
    facts.answers[0] = 0;
    EXPECT_FALSE(replay(image, facts)->verdict->granted());
}

TEST(Replay, NoTablesNoResult)
{
    const std::vector<std::byte> rubbish(100, std::byte{'x'});
    EXPECT_FALSE(replay(rubbish, facts_of("192.0.2.1")));
    EXPECT_FALSE(replay_from(-1, facts_of("192.0.2.1")));
}

class ServerEffectsInAChild : public testing::Test {
protected:
    Result<ServerEffects> find(const std::string& allow, const std::string& deny = "")
    {
        const auto bytes = compiled(allow, deny);
        const UniqueFd image(::memfd_create("test", MFD_CLOEXEC));
        EXPECT_EQ(::write(image.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
        return find_server_effects(image.get(), facts_of("192.0.2.1"), {});
    }
};

TEST_F(ServerEffectsInAChild, AreThoseOfTheRule)
{
    const auto effects = find("safetpd: ALL: setenv A =x=%a: nice -2: nice: umask 0\n");
    ASSERT_TRUE(effects) << describe(effects.error());
    EXPECT_EQ(*effects, (ServerEffects{{{"A", "=x=192.0.2.1"}}, 0u, 8}));
    EXPECT_EQ(*find(""), ServerEffects{});
}

TEST_F(ServerEffectsInAChild, ARefusalHasNone)
{
    EXPECT_FALSE(find("", "ALL: ALL: setenv A x\n"));
    EXPECT_FALSE(find("safetpd: ALL: setenv A x: spawn command\n")) << "its answer is missing";
}

TEST_F(ServerEffectsInAChild, CannotMakeTheRawFtpdLoadOtherCode)
{
    for (const char* name : {"LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH", "A-B"})
        EXPECT_FALSE(find(std::string("safetpd: ALL: setenv ") + name + " x\n")) << name;
    EXPECT_TRUE(find("safetpd: ALL: setenv LDAP x\n"));
}

} // namespace
} // namespace safetp::supervisor
