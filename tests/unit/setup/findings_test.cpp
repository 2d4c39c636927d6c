#include "setup/findings.h"

#include "setup/mends.h"
#include "setup/report.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace safetp::setup {
namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }

Situation machine()
{
    Situation situation;
    situation.addresses = {address("127.0.0.1"), address("192.0.2.1"), address("2001:db8::1")};
    return situation;
}

Opening line(Asks asks)
{
    return {.source = Source::inetd,
        .file = "/etc/inetd.conf",
        .line = 3,
        .text = asks == Asks::tables ? "raw-ftp stream tcp nowait root /usr/sbin/tcpd vsftpd"
                                     : "ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd",
        .program = "/usr/sbin/vsftpd",
        .arguments = {"vsftpd"},
        .kind = FtpdKind::vsftpd,
        .daemon = "vsftpd",
        .port = 351,
        .asks = asks,
        .why = asks == Asks::tables ? "through /usr/sbin/tcpd" : "no tcpd in the line",
        .is_listening = true};
}

/// Who is let in, by what.
Judge letting_in(std::vector<std::string> clients)
{
    return [clients](const Caller& caller) {
        Judgement judgement;
        judgement.is_granted = std::ranges::find(clients, caller.client) != clients.end();
        judgement.why = judgement.is_granted ? "hosts.allow:1" : "hosts.deny:1";
        return judgement;
    };
}

const std::vector<std::string> kOurs{"127.0.0.1", "192.0.2.1", "2001:db8::1"};

std::vector<std::string> and_also(std::vector<std::string> clients, const char* other)
{
    clients.emplace_back(other);
    return clients;
}

const Finding* find(const std::vector<Finding>& findings, Weight weight)
{
    const auto found = std::ranges::find(findings, weight, &Finding::weight);
    return found == findings.end() ? nullptr : &*found;
}

bool mends_with(const Finding& finding, const std::string& line)
{
    return std::ranges::any_of(
        finding.mends, [&](const Mend& mend) { return std::ranges::find(mend.lines, line) != mend.lines.end(); });
}

TEST(Findings, ATableThatLetsOnlyThisMachineInIsNoWay)
{
    Situation situation = machine();
    situation.openings = {line(Asks::tables)};
    const auto findings = diagnose(situation, letting_in(kOurs));
    EXPECT_EQ(find(findings, Weight::way), nullptr);
    EXPECT_EQ(find(findings, Weight::trouble), nullptr);
}

TEST(Findings, AStrangerOnAnyAddressIsAWay)
{
    for (const char* stranger : {kStranger4, kStranger6}) {
        Situation situation = machine();
        situation.openings = {line(Asks::tables)};
        const auto findings = diagnose(situation, letting_in(and_also(kOurs, stranger)));
        const Finding* const way = find(findings, Weight::way);
        ASSERT_NE(way, nullptr) << stranger;
        EXPECT_TRUE(mends_with(*way, "vsftpd : 127.0.0.1 192.0.2.1 [2001:db8::1]"));
        EXPECT_TRUE(mends_with(*way, "vsftpd : ALL"));
        EXPECT_TRUE(mends_with(*way, "vsftpd : ALL : deny")) << "an allow rule let them in";
    }
}

TEST(Findings, ANeighbourIsAStrangerToo)
{
    Situation situation = machine();
    situation.openings = {line(Asks::tables)};
    const auto findings = diagnose(situation, letting_in(and_also(kOurs, "192.0.2.0")));
    ASSERT_NE(find(findings, Weight::way), nullptr);
}

/// "in.ftpd : KNOWN", "ALL : ALL EXCEPT UNKNOWN": anybody can have a name and an ident server.
TEST(Findings, AStrangerMayHaveAName)
{
    for (const char* named : {kStranger4, "192.0.2.0"}) {
        const Judge judge = [named](const Caller& caller) {
            Judgement judgement;
            judgement.is_granted = caller.is_this_machine || (caller.is_named && caller.client == named);
            judgement.asked_name = true;
            judgement.why = "hosts.allow:1";
            return judgement;
        };
        Situation situation = machine();
        situation.openings = {line(Asks::tables)};
        const auto findings = diagnose(situation, judge);
        const Finding* const way = find(findings, Weight::way);
        ASSERT_NE(way, nullptr) << named;
        const std::string& stranger = way->rows[1].stranger;
        EXPECT_NE(stranger.find("with a name is let in: hosts.allow:1"), std::string::npos) << stranger;
        EXPECT_TRUE(mends_with(*way, "vsftpd : ALL : deny"));
    }
}

TEST(Findings, SafetpTcpdIsJudgedByItsOwnTables)
{
    std::vector<bool> asked;
    const Judge judge = [&asked](const Caller& caller) {
        asked.push_back(caller.is_by_our_wrapper);
        return Judgement{};
    };
    Situation situation = machine();
    situation.openings = {line(Asks::tables)};
    diagnose(situation, judge);
    EXPECT_EQ(std::ranges::count(asked, true), 0);
    asked.clear();
    situation.openings[0].why = "through /usr/local/sbin/safetp-tcpd";
    diagnose(situation, judge);
    EXPECT_EQ(std::ranges::count(asked, false), 0);
}

TEST(Findings, ARawFtpdOnOneAddressIsTroubleForTheGatewayOnOthers)
{
    Situation situation = machine();
    situation.openings = {line(Asks::tables)};
    situation.openings[0].address = address("127.0.0.1");
    const auto findings = diagnose(situation, letting_in(kOurs));
    const Finding* const trouble = find(findings, Weight::trouble);
    ASSERT_NE(trouble, nullptr);
    EXPECT_NE(trouble->what.find("nobody on 192.0.2.1, 2001:db8::1"), std::string::npos) << trouble->what;
    EXPECT_TRUE(mends_with(*trouble, "address = \"127.0.0.1\""));

    Situation told = situation;
    told.server_address = address("127.0.0.1");
    EXPECT_EQ(find(diagnose(told, letting_in(kOurs)), Weight::trouble), nullptr);
    Situation one_door = situation;
    one_door.openings[0].address = address("192.0.2.1");
    EXPECT_NE(find(diagnose(one_door, letting_in(kOurs)), Weight::trouble), nullptr);
    one_door.doors = {address("192.0.2.1")};
    EXPECT_EQ(find(diagnose(one_door, letting_in(kOurs)), Weight::trouble), nullptr);
    situation.openings.push_back(line(Asks::tables));
    EXPECT_EQ(find(diagnose(situation, letting_in(kOurs)), Weight::trouble), nullptr) << "another one is everywhere";
}

TEST(Findings, NobodyAskingTheTablesIsAWayWhateverTheySay)
{
    for (const Asks asks : {Asks::nobody, Asks::unknown}) {
        Situation situation = machine();
        situation.openings = {line(asks)};
        const auto findings = diagnose(situation, letting_in(kOurs));
        const Finding* const way = find(findings, Weight::way);
        ASSERT_NE(way, nullptr);
        EXPECT_TRUE(mends_with(*way, "raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\tvsftpd"));
        EXPECT_FALSE(mends_with(*way, "vsftpd : ALL : deny"));
    }
}

TEST(Findings, LoopbackOnlyIsNoWay)
{
    Situation situation = machine();
    situation.openings = {line(Asks::nobody)};
    situation.openings[0].address = address("127.0.0.1");
    EXPECT_EQ(find(diagnose(situation, letting_in({})), Weight::way), nullptr);
    situation.openings[0].address = address("192.0.2.1");
    EXPECT_NE(find(diagnose(situation, letting_in({})), Weight::way), nullptr);
}

TEST(Findings, AMachineWithoutNetworkIsJudgedAsIfItHadOne)
{
    Situation situation = machine();
    situation.addresses = {address("127.0.0.1")};
    situation.openings = {line(Asks::nobody)};
    EXPECT_NE(find(diagnose(situation, letting_in({})), Weight::way), nullptr);
}

TEST(Findings, LocalhostAloneIsTroubleForTheGateway)
{
    Situation situation = machine();
    situation.openings = {line(Asks::tables)};
    const auto findings = diagnose(situation, letting_in({"127.0.0.1"}));
    EXPECT_EQ(find(findings, Weight::way), nullptr);
    const Finding* const trouble = find(findings, Weight::trouble);
    ASSERT_NE(trouble, nullptr);
    EXPECT_NE(trouble->what.find("192.0.2.1, 2001:db8::1"), std::string::npos) << trouble->what;
    EXPECT_TRUE(mends_with(*trouble, "vsftpd : 127.0.0.1 192.0.2.1 [2001:db8::1]"));

    situation.server_address = address("127.0.0.1"); // then it is enough
    EXPECT_EQ(find(diagnose(situation, letting_in({"127.0.0.1"})), Weight::trouble), nullptr);
}

TEST(Findings, AStartedDaemonThatAsksMustSeeItsGateway)
{
    Situation situation = machine();
    situation.is_started = true;
    situation.started_daemon = "vsftpd";
    EXPECT_NE(find(diagnose(situation, letting_in({})), Weight::trouble), nullptr);
    EXPECT_EQ(find(diagnose(situation, letting_in({"127.0.0.1"})), Weight::trouble), nullptr);
}

TEST(Findings, AnUnknownProgramThatDoesNotGreetIsOnlyNoted)
{
    Situation situation = machine();
    situation.openings = {{.port = 351, .asks = Asks::nobody, .is_listening = true}};
    const Endpoint tried{address("127.0.0.1"), 351};
    EXPECT_NE(find(diagnose(situation, letting_in({})), Weight::way), nullptr) << "not tried";
    situation.attempts = {{Attempt::Result::closed, tried, "SSH-2.0"}};
    EXPECT_EQ(find(diagnose(situation, letting_in({})), Weight::way), nullptr);
    situation.attempts[0].result = Attempt::Result::greeted;
    EXPECT_NE(find(diagnose(situation, letting_in({})), Weight::way), nullptr);
}

TEST(Findings, SayWhatCouldNotBeSeen)
{
    Situation situation = machine();
    situation.sees_owners = false;
    situation.firewall = {"nftables has 1 table"};
    situation.unread = {"/etc/inetd.conf: permission denied"};
    std::string all;
    for (const Finding& finding : diagnose(situation, letting_in({})))
        all += finding.where + ": " + finding.what + "\n";
    for (const char* part : {"not root", "nftables has 1 table", "permission denied", "no raw ftpd was found on port 351"})
        EXPECT_NE(all.find(part), std::string::npos) << part << " in " << all;
}

TEST(Mends, SayHowAnFtpdStopsListening)
{
    const Situation situation = machine();
    const auto text = [&](Source source, FtpdKind kind, const char* program) {
        const Opening opening{.source = source,
            .file = "/etc/conf",
            .line = 1,
            .unit = "x.service",
            .program = program,
            .kind = kind,
            .port = 21};
        std::string all;
        for (const Mend& mend : mend_way(situation, opening, LetIn::by_no_rule)) {
            for (const std::string& part : mend.lines)
                all += part + "\n";
        }
        return all;
    };
    EXPECT_NE(text(Source::standalone, FtpdKind::vsftpd, "/usr/sbin/vsftpd").find("listen_ipv6=NO\n"), std::string::npos);
    EXPECT_NE(text(Source::standalone, FtpdKind::vsftpd, "/usr/sbin/vsftpd")
                  .find("systemctl stop x.service\nsystemctl disable x.service\n"),
        std::string::npos);
    EXPECT_NE(text(Source::standalone, FtpdKind::proftpd, "/usr/sbin/proftpd").find("ServerType inetd\n"), std::string::npos);
    EXPECT_NE(text(Source::standalone, FtpdKind::pure_ftpd, "/x").find("STANDALONE_OR_INETD=inetd\n"), std::string::npos);
    EXPECT_NE(text(Source::xinetd, FtpdKind::other, "/x").find("bind = 127.0.0.1"), std::string::npos);
    EXPECT_FALSE(text(Source::socket, FtpdKind::none, "/x").empty());
}

/// A raw ftpd on the gateway's own port, if on loopback only, would be in the gateway's way.
TEST(Mends, GiveTheRawFtpdAnotherPortThanTheGatewayHas)
{
    const auto lines = [](Source source, std::uint16_t port, std::vector<std::uint16_t> door_ports) {
        Situation situation = machine();
        situation.door_ports = std::move(door_ports);
        std::string all;
        const Opening opening{.source = source, .file = "/etc/conf", .line = 1, .unit = "x.socket", .port = port};
        for (const Mend& mend : mend_way(situation, opening, LetIn::by_no_rule)) {
            for (const std::string& part : mend.lines)
                all += part + "\n";
        }
        return all;
    };
    const std::string xinetd = lines(Source::xinetd, 21, {21});
    EXPECT_NE(xinetd.find("\tport = 351\n\ttype = UNLISTED\n"), std::string::npos) << xinetd;
    EXPECT_NE(xinetd.find("address = \"127.0.0.1\"\nport = 351\n"), std::string::npos) << xinetd;
    const std::string socket = lines(Source::systemd_socket, 21, {990, 21});
    EXPECT_NE(socket.find("ListenStream=127.0.0.1:351\n"), std::string::npos) << socket;
    EXPECT_NE(socket.find("\nport = 351\n"), std::string::npos) << socket;
    const std::string elsewhere = lines(Source::xinetd, 2100, {21});
    EXPECT_EQ(elsewhere.find("UNLISTED"), std::string::npos) << elsewhere;
    EXPECT_NE(elsewhere.find("\nport = 2100\n"), std::string::npos) << elsewhere;
}

DoorVisit visit(DoorVisit::Outcome outcome)
{
    return {.endpoint = {address("192.0.2.1"), 21}, .outcome = outcome, .words = "what was said"};
}

TEST(Findings, ADeadFrontDoorIsTrouble)
{
    Situation situation = machine();
    situation.visits = {visit(DoorVisit::Outcome::open)};
    EXPECT_EQ(find(diagnose(situation, letting_in({})), Weight::trouble), nullptr);
    situation.visits.push_back(visit(DoorVisit::Outcome::dead));
    const auto findings = diagnose(situation, letting_in({}));
    const Finding* const trouble = find(findings, Weight::trouble);
    ASSERT_NE(trouble, nullptr);
    EXPECT_EQ(trouble->where, "the front door, 192.0.2.1:21");
    EXPECT_NE(trouble->what.find("what was said"), std::string::npos);
    EXPECT_NE(report_text(situation, findings).find("none was found, but the front door does not work"), std::string::npos);

    situation.visits = {visit(DoorVisit::Outcome::untried)};
    EXPECT_EQ(find(diagnose(situation, letting_in({})), Weight::trouble), nullptr) << "it wants a certificate";
}

TEST(Findings, ALimitBeyondWhatTheServerTakesIsTrouble)
{
    Situation situation = machine();
    situation.server_line = 508;
    EXPECT_EQ(find(diagnose(situation, letting_in({})), Weight::trouble), nullptr);
    situation.line_bytes = 508;
    EXPECT_EQ(find(diagnose(situation, letting_in({})), Weight::trouble), nullptr);
    situation.line_bytes = 509;
    const auto findings = diagnose(situation, letting_in({}));
    ASSERT_NE(find(findings, Weight::trouble), nullptr);
    EXPECT_TRUE(mends_with(*find(findings, Weight::trouble), "line_bytes = 508"));
}

TEST(Report, IsJsonAndTextOfTheSame)
{
    Situation situation = machine();
    situation.openings = {line(Asks::nobody)};
    situation.attempts = {{Attempt::Result::greeted, {address("192.0.2.1"), 351}, "220 \"hello\""}};
    const auto findings = diagnose(situation, letting_in({}));
    const std::string text = report_text(situation, findings), json = report_json(situation, findings);
    EXPECT_NE(text.find("Answer: yes, one."), std::string::npos) << text;
    EXPECT_NE(text.find("192.0.2.1:351 greets"), std::string::npos) << text;
    EXPECT_NE(json.find("\"ways\": 1,"), std::string::npos) << json;
    EXPECT_NE(json.find("220 \\\"hello\\\""), std::string::npos) << json;
    situation.openings.clear();
    EXPECT_NE(report_text(situation, diagnose(situation, letting_in({}))).find("Answer: none was found."), std::string::npos);
}

} // namespace
} // namespace safetp::setup
