// The access step of a session, with tables of the test's and lookups that the test answers.
#include "proxy/gateway.h"
#include "proxy/access_step.h"

#include <sys/mman.h>
#include <unistd.h>

namespace safetp::proxy::test {
namespace {

std::shared_ptr<const TableImage> image_of(
    const std::string& allow, const std::string& deny, const std::string& banner, access::Reading reading)
{
    access::TableFiles files;
    files.allow = {access::FileText::State::text, allow, 0};
    files.deny = {access::FileText::State::text, deny, 0};
    files.others["/b/safetpd"] = {access::FileText::State::text, banner, 0};
    const auto bytes = access::compile(files, reading);
    const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return TableImage::map(fd.get(), 5).value();
}

class Helper : public AccessHelper {
public:
    explicit Helper(net::Executor executor) : never_(executor) {}

    net::Task<std::shared_ptr<const TableImage>> tables(AccessWait& wait) override
    {
        if (tables_take_for_ever)
            co_await wait.wait(never_);
        co_return image;
    }
    net::Task<wrapper::NameFinding> find_name(IpAddress, AccessWait& wait) override
    {
        ++names_asked;
        if (!name)
            co_await wait.wait(never_);
        co_return wrapper::NameFinding{name.value_or(access::kUnknown), name_warning};
    }
    net::Task<bool> is_in_netgroup(std::string group, std::string, AccessWait&) override { co_return group == "friends"; }
    net::Task<std::optional<int>> run_command(const AccessRecord& record, AccessWait&) override
    {
        last_record = record;
        co_return exit_status;
    }
    net::Task<bool> twist(const AccessRecord& record, int, AccessWait&) override
    {
        last_record = record;
        co_return twist_works;
    }
    bool take_refusal_slot() override { return slots-- > 0; }
    void free_refusal_slot() override { ++slots; }
    bool is_first_warning(std::uint64_t, const std::string&) override { return true; }

    std::shared_ptr<const TableImage> image;
    bool tables_take_for_ever = false;
    std::optional<std::string> name; ///< none: nobody answers
    std::string name_warning;
    unsigned names_asked = 0;
    std::optional<int> exit_status = 0;
    bool twist_works = true;
    int slots = 1;
    std::optional<AccessRecord> last_record;

private:
    net::Event never_;
};

class AccessSteps : public Gateway {
protected:
    AccessSteps() { access_ = &helper_; }

    void tables(const std::string& allow, const std::string& deny = "", const std::string& banner = "")
    {
        const bool is_strict = config_.access.reading == config::AccessReading::strict;
        helper_.image = image_of(allow, deny, banner, is_strict ? access::Reading::strict : access::Reading::safe);
    }

    void expect_granted()
    {
        play([this]() -> net::Task<> { co_await greet(); });
        EXPECT_NE(log_.find("connect from "), std::string::npos) << log_;
        EXPECT_EQ(log_.find("refused connect"), std::string::npos) << log_;
    }

    void expect_refused(const std::string& reply = kReply)
    {
        play([this, reply]() -> net::Task<> {
            const std::string said = co_await client_->rest();
            EXPECT_EQ(said, reply + (reply.empty() ? "<end>" : "\r\n<end>"));
        });
        EXPECT_NE(log_.find("session ended: access refused"), std::string::npos) << log_;
    }

    void expect_log(std::string_view text) { EXPECT_NE(log_.find(text), std::string::npos) << text << "\nin\n" << log_; }

    static inline const std::string kReply = "421 Connection refused by this server's access rules.";
    Helper helper_{loop_.executor()};
};

TEST_F(AccessSteps, LetsInWhomTheTablesLetIn)
{
    tables("safetpd: 127.0.0.1\n", "ALL: ALL\n");
    expect_granted();
    expect_log("rule=/etc/hosts.allow:1");
    EXPECT_EQ(helper_.names_asked, 0u);
}

TEST_F(AccessSteps, RefusesWhomTheTablesRefuse)
{
    tables("safetpd: 192.0.2.1\n", "# nobody\nALL: ALL\n");
    expect_refused();
    expect_log("refused connect from 127.0.0.1 (127.0.0.1)");
    expect_log("rule=/etc/hosts.deny:2");
}

TEST_F(AccessSteps, RefusesEverybodyWithoutTables)
{
    expect_refused();
    expect_log("refused connect from 127.0.0.1 (127.0.0.1)");
}

TEST_F(AccessSteps, TheListenersOwnNameGoesFirst)
{
    listener_.daemon = "partners";
    tables("partners: ALL\n", "ALL: ALL\n");
    expect_granted();
    expect_log("daemon=partners");
}

TEST_F(AccessSteps, SilenceSaysNothing)
{
    config_.access.refusal = config::Refusal::silent;
    tables("", "ALL: ALL\n");
    expect_refused("");
}

TEST_F(AccessSteps, ADelayWithoutAFreeSlotIsNone)
{
    config_.access.refusal = config::Refusal::delay;
    config_.access.refusal_delay = std::chrono::hours(1);
    helper_.slots = 0;
    tables("", "ALL: ALL\n");
    expect_refused("");
}

TEST_F(AccessSteps, ADelayEndsWithTheClient)
{
    config_.access.refusal = config::Refusal::delay;
    config_.access.refusal_delay = std::chrono::hours(1);
    tables("", "ALL: ALL\n");
    play([this]() -> net::Task<> { co_await net::yield(loop_.executor()); });
    EXPECT_EQ(helper_.slots, 1);
    expect_log("session ended");
}

TEST_F(AccessSteps, NobodyWaitsForTablesOrNamesWhenTheClientHasLeft)
{
    helper_.tables_take_for_ever = true;
    play([]() -> net::Task<> { co_return; });
    expect_log("session ended: client closed");
    EXPECT_EQ(log_.find("refused connect"), std::string::npos) << log_;

    helper_.tables_take_for_ever = false;
    config_.access.lookup_time = std::chrono::hours(1);
    tables("safetpd: .example.org\n", "ALL: ALL\n");
    play([]() -> net::Task<> { co_return; });
    expect_log("session ended: client closed");
    EXPECT_EQ(log_.find("refused connect"), std::string::npos) << log_;
}

TEST_F(AccessSteps, WhatIsNotKnownInTimeIsUnknown)
{
    config_.access.lookup_time = std::chrono::seconds(0);
    tables("safetpd: UNKNOWN\n", "ALL: ALL\n");
    expect_granted();
}

TEST_F(AccessSteps, AnUnknownNameIsNoReasonToLetIn)
{
    config_.access.lookup_time = std::chrono::seconds(0);
    tables("safetpd: .example.org KNOWN@ALL @friends\n", "ALL: ALL\n");
    expect_refused();
}

TEST_F(AccessSteps, NamesAndTheirWarnings)
{
    helper_.name = "host.example.org";
    tables("safetpd: .example.org\n", "ALL: ALL\n");
    expect_granted();
    expect_log("connect from host.example.org (127.0.0.1)");

    helper_.name = access::kParanoid;
    helper_.name_warning = "host name/address mismatch: 127.0.0.1 != bank.example";
    expect_refused();
    expect_log("warning: /etc/hosts.allow, line 1: host name/address mismatch");
}

TEST_F(AccessSteps, ParanoidAlwaysComesBeforeTheRules)
{
    config_.access.paranoid = config::Paranoid::always;
    helper_.name = access::kParanoid;
    tables("ALL: ALL\n");
    expect_refused();
    helper_.name = access::kUnknown;
    expect_granted();
    EXPECT_EQ(helper_.names_asked, 2u);
}

TEST_F(AccessSteps, BannersAreReplies)
{
    tables("", "ALL: ALL: banners /b\n", "no\n421-more\n");
    expect_refused("421-no\r\n421-more\r\n" + kReply);
    tables("ALL: ALL: banners /b\n", "", "hello\n");
    play([this]() -> net::Task<> {
        server_ = co_await accept(server_listener_);
        co_await server_->say("220-ready\r\n220 now");
        co_await client_->expect("220-hello");
        co_await client_->expect("220-ready");
        co_await client_->expect("220 now");
    });
}

TEST_F(AccessSteps, StrictBannersAreSentAsTheyAre)
{
    config_.access.reading = config::AccessReading::strict;
    config_.access.refusal = config::Refusal::silent;
    tables("", "ALL: ALL: banners /b\n", "no\n");
    expect_refused("no");
}

TEST(BannerLines, AreAlwaysLinesOfAReply)
{
    EXPECT_EQ(banner_lines("", "421"), "");
    EXPECT_EQ(banner_lines("a\r\nb", "421"), "421-a\r\n421-b\r\n");
    EXPECT_EQ(banner_lines("\n\n", "220"), "220-\r\n220-\r\n");
    EXPECT_EQ(banner_lines("421-a\n421 b\n4210\n42- c\n", "530"), "530-a\r\n530-b\r\n530-4210\r\n530-42- c\r\n");
}

TEST_F(AccessSteps, CommandsAreOffUnlessTheyAreOn)
{
    tables("ALL: ALL: twist x\n");
    expect_refused();
    tables("ALL: ALL: aclexec x\n");
    expect_refused();
    tables("", "ALL: ALL: aclexec x\n");
    helper_.exit_status = 1; // would cancel the rule
    expect_refused();
    tables("ALL: ALL: spawn x\n", "ALL: ALL\n");
    expect_granted();
    EXPECT_FALSE(helper_.last_record);
    expect_log("/etc/hosts.allow:1: spawn has no effect here");
}

TEST_F(AccessSteps, CommandsAreAskedForWithFacts)
{
    config_.access.commands = true;
    helper_.name = "host.example.org";
    tables("safetpd: @friends, .example.org: aclexec x: twist y\n", "ALL: ALL\n");
    expect_refused("");
    ASSERT_TRUE(helper_.last_record);
    EXPECT_EQ(helper_.last_record->version, 5u);
    EXPECT_EQ(helper_.last_record->client_name, "host.example.org");
    EXPECT_EQ(helper_.last_record->answers, (std::vector<std::uint8_t>{1, 0}));
    EXPECT_EQ(helper_.last_record->request.daemon, "safetpd");
    EXPECT_EQ(log_.find("refused connect"), std::string::npos) << log_;
    expect_log("twist host.example.org to y");
}

TEST_F(AccessSteps, WhatCannotBeRunRefuses)
{
    config_.access.commands = true;
    helper_.twist_works = false;
    tables("ALL: ALL: twist x\n");
    expect_refused();
    helper_.exit_status = std::nullopt;
    tables("", "ALL: ALL: aclexec x\n");
    expect_refused();
}

TEST_F(AccessSteps, AnotherIdentityIsRefused)
{
    tables("ALL: ALL: user nobody\n");
    expect_refused();
    expect_log("user in [server]");
}

} // namespace
} // namespace safetp::proxy::test
