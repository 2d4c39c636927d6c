#include "client/trust.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace safetp::client {
namespace {

using Outcome = Verdict::Outcome;
using Reason = Verdict::Reason;
using std::chrono::hours;

const std::string kKey = "SHA256:" + std::string(42, 'a') + "A";
const std::string kOtherKey = "SHA256:" + std::string(42, 'b') + "A";
const auto kNow = std::chrono::system_clock::now();

const ServerName kServer{.host = "ftp.example.com", .port = 21};

tls::PeerCertificate certificate(bool is_vouched = false)
{
    tls::PeerCertificate peer;
    peer.key_fingerprint = kKey;
    peer.key_type = "ECDSA";
    peer.key_bits = 256;
    peer.subject = "CN=ftp.example.com";
    peer.not_before = kNow - hours(24);
    peer.not_after = kNow + hours(24);
    peer.is_vouched = is_vouched;
    peer.is_name_right = true;
    peer.why_not = is_vouched ? "" : "the server has made its certificate itself";
    return peer;
}

KnownServer known_as(const std::vector<std::string>& keys)
{
    KnownServer known;
    for (const std::string& key : keys)
        known.pins.push_back({.server = kServer, .fingerprint = key});
    return known;
}

struct Case {
    const char* what;
    TrustPolicy policy;
    bool is_vouched;
    std::vector<std::string> remembered;
    std::vector<std::string> configured;
    std::optional<Reason> reason; ///< nullopt: first use
};

TEST(Trust, Policies)
{
    const std::vector<std::string> none;
    const std::vector<std::string> ours{kKey};
    const std::vector<std::string> both{kOtherKey, kKey};
    const std::vector<std::string> another{kOtherKey};
    const std::vector<Case> cases{
        {"new", TrustPolicy::pin, false, none, none, std::nullopt},
        {"known", TrustPolicy::pin, false, ours, none, Reason::pinned},
        {"one of two", TrustPolicy::pin, false, both, none, Reason::pinned},
        {"changed", TrustPolicy::pin, false, another, none, Reason::key_changed},
        {"changed, and vouched for", TrustPolicy::pin, true, another, none, Reason::key_changed},
        {"configured", TrustPolicy::pin, false, none, ours, Reason::pinned},
        {"configured wins over remembered", TrustPolicy::pin, false, another, ours, Reason::pinned},
        {"remembered does not win over configured", TrustPolicy::pin, false, ours, another, Reason::key_changed},

        {"nobody vouches", TrustPolicy::ca, false, none, none, Reason::not_vouched},
        {"nobody vouches, though it is known", TrustPolicy::ca, false, ours, none, Reason::not_vouched},
        {"vouched", TrustPolicy::ca, true, none, none, Reason::vouched},
        {"vouched, changed", TrustPolicy::ca, true, another, none, Reason::vouched},
        {"vouched, another configured", TrustPolicy::ca, true, none, another, Reason::key_changed},
        {"configured, nobody vouches", TrustPolicy::ca, false, none, ours, Reason::not_vouched},
        {"configured and vouched", TrustPolicy::ca, true, none, ours, Reason::pinned},

        {"both: new", TrustPolicy::ca_and_pin, true, none, none, std::nullopt},
        {"both: new, nobody vouches", TrustPolicy::ca_and_pin, false, none, none, Reason::not_vouched},
        {"both: known", TrustPolicy::ca_and_pin, true, ours, none, Reason::pinned},
        {"both: known, nobody vouches", TrustPolicy::ca_and_pin, false, ours, none, Reason::not_vouched},
        {"both: changed", TrustPolicy::ca_and_pin, true, another, none, Reason::key_changed},
    };
    for (const Case& one : cases) {
        const TrustOptions options{.policy = one.policy, .configured_pins = one.configured};
        const auto verdict = judge(kServer, certificate(one.is_vouched), options, known_as(one.remembered), kNow);
        ASSERT_EQ(verdict.has_value(), one.reason.has_value()) << one.what;
        if (!verdict)
            continue;
        EXPECT_EQ(verdict->reason, *one.reason) << one.what;
        EXPECT_EQ(verdict->is_accepted(), *one.reason == Reason::pinned || *one.reason == Reason::vouched) << one.what;
        EXPECT_NE(verdict->for_log.find(kKey), std::string::npos) << one.what;
        EXPECT_EQ(verdict->for_person.find('\n'), std::string::npos) << one.what;
        EXPECT_NE(verdict->for_person.find("ftp.example.com:21"), std::string::npos) << one.what;
    }
}

TEST(Trust, AWrongNameIsNotVouchedFor)
{
    tls::PeerCertificate peer = certificate(true);
    peer.is_name_right = false;
    peer.why_not = "its certificate is for other.example and not for ftp.example.com";
    EXPECT_EQ(judge(kServer, peer, {.policy = TrustPolicy::ca}, {}, kNow)->reason, Reason::not_vouched);
    EXPECT_EQ(judge(kServer, peer, {.policy = TrustPolicy::pin}, known_as({kKey}), kNow)->reason, Reason::pinned);
}

TEST(Trust, NoFirstUseOfACertificateThatIsNotValidNow)
{
    tls::PeerCertificate old = certificate();
    old.not_after = kNow - hours(1);
    EXPECT_EQ(judge(kServer, old, {}, {}, kNow)->reason, Reason::expired);
    EXPECT_EQ(judge(kServer, old, {}, known_as({kKey}), kNow)->reason, Reason::pinned) << "the key is what counts";
    tls::PeerCertificate early = certificate();
    early.not_before = kNow + hours(1);
    EXPECT_EQ(judge(kServer, early, {}, {}, kNow)->reason, Reason::expired);
}

TEST(Trust, StrictRefusesTheUnknown)
{
    const auto verdict = judge(kServer, certificate(), {.refuse_unknown = true}, {}, kNow);
    EXPECT_EQ(verdict->reason, Reason::unknown_key);
    EXPECT_NE(verdict->for_person.find("safetp pin add ftp.example.com:21 " + kKey), std::string::npos);
    EXPECT_TRUE(judge(kServer, certificate(), {.refuse_unknown = true}, known_as({kKey}), kNow)->is_accepted());
}

TEST(Trust, AnUnreadableLineAboutTheServerRefusesItUnlessAKeyIsConfigured)
{
    KnownServer known;
    known.unreadable_line = "known_servers:7";
    const auto verdict = judge(kServer, certificate(), {}, known, kNow);
    EXPECT_EQ(verdict->reason, Reason::bad_store);
    EXPECT_NE(verdict->for_person.find("known_servers:7"), std::string::npos);
    EXPECT_TRUE(judge(kServer, certificate(), {.configured_pins = {kKey}}, known, kNow)->is_accepted());
}

TEST(Trust, ALineThatNamesNobodyRefusesFirstUses)
{
    KnownServer known;
    known.nameless_line = "known_servers:3";
    for (const bool refuse_unknown : {false, true}) {
        const auto verdict = judge(kServer, certificate(), {.refuse_unknown = refuse_unknown}, known, kNow);
        ASSERT_TRUE(verdict) << "no first use";
        EXPECT_EQ(verdict->reason, Reason::bad_store);
        for (const char* part : {"known_servers:3", "safetp pin list", "safetp pin add ftp.example.com:21 "})
            EXPECT_NE(verdict->for_person.find(part), std::string::npos) << verdict->for_person;
    }
    EXPECT_TRUE(judge(kServer, certificate(), {.configured_pins = {kKey}}, known, kNow)->is_accepted());
    EXPECT_TRUE(judge(kServer, certificate(true), {.policy = TrustPolicy::ca}, known, kNow)->is_accepted());
    KnownServer with_key = known_as({kKey});
    with_key.nameless_line = known.nameless_line;
    EXPECT_TRUE(judge(kServer, certificate(), {}, with_key, kNow)->is_accepted());
}

TEST(Trust, AKeyThatCannotBeReadEqualsNothing)
{
    tls::PeerCertificate peer = certificate(true);
    peer.key_fingerprint.clear();
    for (const TrustPolicy policy : {TrustPolicy::ca, TrustPolicy::pin, TrustPolicy::ca_and_pin})
        EXPECT_FALSE(judge(kServer, peer, {.policy = policy}, known_as({""}), kNow)->is_accepted());
}

TEST(Trust, PeersTextsAreEscaped)
{
    tls::PeerCertificate peer = certificate();
    peer.subject = "CN=a\x1b[2J\n";
    peer.why_not = "no\x1b[2J\r\n220 hello";
    const auto verdict = judge(kServer, peer, {.policy = TrustPolicy::ca}, {}, kNow);
    for (const std::string& text : {verdict->for_person, verdict->for_log})
        EXPECT_EQ(text.find_first_of("\x1b\r\n"), std::string::npos) << text;
}

TEST(Trust, PolicyNames)
{
    for (const TrustPolicy policy : {TrustPolicy::ca, TrustPolicy::pin, TrustPolicy::ca_and_pin})
        EXPECT_EQ(parse_policy(to_text(policy)), policy);
    for (const char* text : {"", "CA", "pin+ca", "any", "ca "})
        EXPECT_FALSE(parse_policy(text)) << text;
}

class Decide : public testing::Test {
protected:
    Decide()
    {
        std::string name = testing::TempDir() + "trust-XXXXXX";
        directory_ = ::mkdtemp(name.data());
    }
    ~Decide() override { std::filesystem::remove_all(directory_); }

    std::string directory_;
    PinStore store() const { return PinStore(directory_ + "/known_servers"); }
};

TEST_F(Decide, RemembersAtFirstUseAndHoldsOnToIt)
{
    PinStore pins = store();
    const Verdict first = decide(kServer, certificate(), {}, pins);
    EXPECT_EQ(first.outcome, Outcome::accepted_first_use);
    EXPECT_NE(first.for_person.find(kKey), std::string::npos);
    EXPECT_EQ(decide(kServer, certificate(), {}, pins).outcome, Outcome::accepted);
    EXPECT_TRUE(pins.find(kServer)->pins.at(0).has_been_secure);
    tls::PeerCertificate changed = certificate();
    changed.key_fingerprint = kOtherKey;
    EXPECT_EQ(decide(kServer, changed, {}, pins).reason, Reason::key_changed);
    EXPECT_EQ(pins.find(kServer)->pins.size(), 1U);
}

TEST_F(Decide, RemembersThatAVouchedServerWasSecureWithoutItsKey)
{
    PinStore pins = store();
    EXPECT_EQ(decide(kServer, certificate(true), {.policy = TrustPolicy::ca}, pins).reason, Reason::vouched);
    EXPECT_TRUE(pins.find(kServer)->must_be_secure);
    EXPECT_TRUE(pins.find(kServer)->pins.empty());
    EXPECT_EQ(decide(kServer, certificate(), {}, pins).outcome, Outcome::accepted_first_use) << "no key is known yet";
}

TEST_F(Decide, RefusesWhenItCannotRemember)
{
    std::filesystem::create_directory(directory_ + "/known_servers.lock"); // so that no lock can be had
    PinStore pins = store();
    const Verdict verdict = decide(kServer, certificate(), {}, pins);
    EXPECT_EQ(verdict.reason, Reason::bad_store);
    EXPECT_FALSE(verdict.is_accepted());
    EXPECT_EQ(decide(kServer, certificate(true), {.policy = TrustPolicy::ca}, pins).reason, Reason::bad_store);
}

TEST_F(Decide, RefusesWhenItCannotRead)
{
    std::ofstream(directory_ + "/known_servers") << "";
    ASSERT_EQ(::chmod((directory_ + "/known_servers").c_str(), 0666), 0);
    PinStore pins = store();
    EXPECT_EQ(decide(kServer, certificate(), {}, pins).reason, Reason::bad_store);
}

} // namespace
} // namespace safetp::client
