// The explanation of a verdict: given tables and names, the text, the JSON and the exit code.
#include "explain/explain.h"

#include "explain/inetd_services.h"

#include <gtest/gtest.h>

namespace safetp::explain {

namespace {

struct World {
    access::TableFiles files;
    config::Config config;
    Question question;
    std::vector<std::string> asked_names;

    World(const std::string& allow, const std::string& deny)
    {
        files.allow = {.state = access::FileText::State::text, .text = allow, .os_error = 0};
        files.deny = {.state = access::FileText::State::text, .text = deny, .os_error = 0};
        config.listeners.emplace_back();
    }

    Explanation explain(const std::string& client, bool is_json = false)
    {
        question.client = client;
        const auto asked = understand(question, config, [](const std::string& name) -> std::vector<IpAddress> {
            if (name != "two.example")
                return {};
            return {*IpAddress::parse("192.0.2.7"), *IpAddress::parse("2001:db8::7")};
        });
        if (!asked)
            return {asked.error().text, asked.error().exit_code};
        Services services;
        services.find_name = [&](const IpAddress& address) -> wrapper::NameFinding {
            asked_names.push_back(address.to_string());
            if (address.to_string() == "192.0.2.7")
                return {"good.example.org", ""};
            if (address.to_string() == "192.0.2.66")
                return {access::kParanoid, "host name/address mismatch: a != b"};
            return {access::kUnknown, ""};
        };
        services.is_in_netgroup = [](const std::string& group, const std::string& host) {
            return group == "friends" && host == "good.example.org";
        };
        return explain_case(*asked, files, question.no_lookup ? Services{} : services, is_json, false);
    }
};

} // namespace

TEST(Explain, ShowsTheRuleTheLookupAndTheVerdict)
{
    World world("# comment\nsshd: ALL\nsafetpd: 10.\nsafetpd: .example.org EXCEPT bad.example.org\n", "ALL: ALL\n");
    const Explanation explanation = world.explain("192.0.2.7");
    EXPECT_EQ(explanation.text,
        "192.0.2.7 asks for safetpd port 21\n"
        "  /etc/hosts.allow\n"
        "          (1 rule for other daemons)\n"
        "        3 safetpd: 10.                                                no\n"
        "        4 safetpd: .example.org EXCEPT bad.example.org                matches by .example.org\n"
        "              name of 192.0.2.7: good.example.org\n"
        "  granted by /etc/hosts.allow:4\n"
        "  the client gets the greeting\n");
    EXPECT_EQ(explanation.exit_code, kExitGranted);
    EXPECT_EQ(world.asked_names, std::vector<std::string>{"192.0.2.7"});
}

/// libwrap's allow does not look at what aclexec said; the gateway that may not run it still refuses.
TEST(Explain, KnowsThatTheGatewayDoesNotGuess)
{
    World world("safetpd: ALL : aclexec true : allow\n", "");
    world.question.reading = "strict";
    const Explanation refused = world.explain("192.0.2.7");
    EXPECT_EQ(refused.exit_code, kExitDenied) << refused.text;
    world.config.access.commands = true;
    EXPECT_EQ(world.explain("192.0.2.7").exit_code, kExitGranted);
}

TEST(Explain, AsksForNothingThatNoRuleNeeds)
{
    World world("", "safetpd: 10.\n");
    const Explanation explanation = world.explain("192.0.2.7");
    EXPECT_EQ(explanation.exit_code, kExitGranted);
    EXPECT_TRUE(world.asked_names.empty());
    EXPECT_NE(explanation.text.find("granted: no rule matches"), std::string::npos) << explanation.text;
}

TEST(Explain, SaysWhatADeniedClientGets)
{
    World world("", "ALL: ALL\n");
    EXPECT_EQ(world.explain("192.0.2.7").exit_code, kExitDenied);
    EXPECT_NE(world.explain("192.0.2.7").text.find("gets \"421 "), std::string::npos);
    world.config.access.refusal = config::Refusal::silent;
    EXPECT_NE(world.explain("192.0.2.7").text.find("gets the end of the connection"), std::string::npos);
    world.config.access.refusal = config::Refusal::delay;
    EXPECT_NE(world.explain("192.0.2.7").text.find("gets after 5 s the end of the connection"), std::string::npos);
    world.question.daemon = "in.ftpd";
    world.config.access.refusal = config::Refusal::reply;
    EXPECT_NE(world.explain("192.0.2.7").text.find("gets after 5 s the end of the connection"), std::string::npos);
}

TEST(Explain, JudgesEveryAddressOfAName)
{
    World world("safetpd: 192.0.2.\n", "ALL: ALL\n");
    const Explanation explanation = world.explain("two.example");
    EXPECT_EQ(explanation.exit_code, kExitDenied);
    EXPECT_NE(explanation.text.find("192.0.2.7 asks for safetpd"), std::string::npos);
    EXPECT_NE(explanation.text.find("2001:db8::7 asks for safetpd"), std::string::npos);
    EXPECT_NE(explanation.text.find("granted by"), std::string::npos);
    EXPECT_NE(explanation.text.find("denied by /etc/hosts.deny:1"), std::string::npos);
    EXPECT_EQ(world.explain("none.example").exit_code, 68);
}

TEST(Explain, TakesNamesAndUsersAsGiven)
{
    World world("safetpd: joe@.example.org, @friends\n", "ALL: ALL\n");
    world.question.name = "x.example.org";
    EXPECT_EQ(world.explain("joe@10.1.2.3").exit_code, kExitGranted);
    EXPECT_EQ(world.explain("ann@10.1.2.3").exit_code, kExitDenied);
    world.question.user = "joe";
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitGranted);
    EXPECT_TRUE(world.asked_names.empty());
    world.question.user = world.question.name = "";
    const Explanation explanation = world.explain("192.0.2.7");
    EXPECT_EQ(explanation.exit_code, kExitGranted) << explanation.text;
    EXPECT_NE(explanation.text.find("user by ident: unknown (there is no connection"), std::string::npos) << explanation.text;
    EXPECT_NE(explanation.text.find("good.example.org in @friends: yes"), std::string::npos) << explanation.text;
    world.question.no_lookup = true;
    EXPECT_NE(world.explain("192.0.2.7").text.find("unknown (not looked up)"), std::string::npos);
}

TEST(Explain, KnowsClientsWithoutAnAddress)
{
    World world("", "safetpd: UNKNOWN\nin.ftpd: PARANOID\n");
    EXPECT_EQ(world.explain("unknown").exit_code, kExitDenied);
    EXPECT_EQ(world.explain("paranoid").exit_code, kExitDenied) << "its address is unknown too";
    world.question.daemon = "in.ftpd";
    EXPECT_EQ(world.explain("unknown").exit_code, kExitGranted);
    EXPECT_EQ(world.explain("paranoid").exit_code, kExitDenied);
    EXPECT_EQ(world.explain("joe@").exit_code, 64);
}

TEST(Explain, FindsTheListener)
{
    World world("ftp-in@192.0.2.1, 990: ALL\n", "ALL: ALL\n");
    world.config.listeners.push_back({.address = *IpAddress::parse("192.0.2.1"), .port = 2121, .daemon = "ftp-in"});
    world.config.listeners.push_back({.address = {}, .port = 990, .daemon = {}});
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitDenied);
    for (const char* listener : {"2121", "192.0.2.1:2121", "990"}) {
        world.question.listener = listener;
        EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitGranted) << listener;
    }
    world.question.listener = "22";
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, 64);
    EXPECT_NE(world.explain("10.1.2.3").text.find("21, 192.0.2.1:2121, 990"), std::string::npos)
        << world.explain("10.1.2.3").text;
    world.question.listener = "";
    world.question.daemon = "ftp-in@192.0.2.1";
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitGranted);
    world.question.daemon = "ftp-in@192.0.2.2";
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitDenied);
    world.question.daemon = "";
    world.question.port = 990;
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitGranted);
}

TEST(Explain, RunsNothing)
{
    World world(
        "in.ftpd: ALL : spawn touch /tmp/%a : umask 027 : setenv A %d : keepalive : severity local3.info\n", "ALL: ALL\n");
    world.question.daemon = "in.ftpd";
    const std::string text = world.explain("192.0.2.7").text;
    for (const char* expected : {": spawn touch /tmp/%a\n              spawn touch /tmp/192.0.2.7 (not run here)\n",
             "umask 027\n", "              setenv A in.ftpd\n", "              keepalive\n", "logged as local3.info"})
        EXPECT_NE(text.find(expected), std::string::npos) << expected << text;
}

TEST(Explain, SaysWhatSafetpdDoesInstead)
{
    World world(
        "safetpd: 10.1. : umask 027\nsafetpd: 10.2. : spawn true\nsafetpd: 10.3. : twist echo no\nsafetpd: 10.4. : user joe\n"
        "safetpd: 10.5. : aclexec true\n",
        "ALL: ALL\n");
    EXPECT_NE(world.explain("10.1.0.1").text.find("no effect"), std::string::npos);
    EXPECT_NE(world.explain("10.2.0.1").text.find("never run"), std::string::npos);
    EXPECT_EQ(world.explain("10.2.0.1").exit_code, kExitGranted);
    for (const char* client : {"10.3.0.1", "10.4.0.1", "10.5.0.1"})
        EXPECT_EQ(world.explain(client).exit_code, kExitDenied) << client;
    world.config.access.commands = true;
    EXPECT_NE(world.explain("10.3.0.1").text.find("what this command writes: echo no"), std::string::npos);
    EXPECT_EQ(world.explain("10.3.0.1").exit_code, kExitDenied);
    EXPECT_EQ(world.explain("10.5.0.1").exit_code, kExitGranted);
    world.config.server.command = {"/usr/sbin/vsftpd"};
    EXPECT_EQ(world.explain("10.1.0.1").text.find("no effect"), std::string::npos);
}

TEST(Explain, ShowsBanners)
{
    World world("", "ALL: ALL : banners /b\n");
    world.files.others["/b/safetpd"] = {.state = access::FileText::State::text, .text = "Go away, %a\n", .os_error = 0};
    world.files.others["/b"].state = access::FileText::State::directory;
    EXPECT_NE(world.explain("10.1.2.3").text.find("\"421-Go away, 10.1.2.3\", \"421 "), std::string::npos)
        << world.explain("10.1.2.3").text;
}

TEST(Explain, RefusesForgedNamesBeforeAnyRuleWhereTold)
{
    World world("ALL: ALL\n", "");
    EXPECT_EQ(world.explain("192.0.2.66").exit_code, kExitGranted);
    world.config.access.paranoid = config::Paranoid::always;
    EXPECT_EQ(world.explain("192.0.2.66").exit_code, kExitDenied);
    EXPECT_NE(world.explain("192.0.2.66").text.find("does not check out"), std::string::npos);
    EXPECT_EQ(world.explain("192.0.2.7").exit_code, kExitGranted);
    world.question.daemon = "in.ftpd"; // safetp-tcpd has the same configuration
    EXPECT_EQ(world.explain("192.0.2.66").exit_code, kExitDenied);
}

TEST(Explain, SaysSoWhereTheTablesAreNotAsked)
{
    World world("", "ALL: ALL\n");
    world.config.access.enabled = false;
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitGranted);
    EXPECT_NE(world.explain("10.1.2.3").text.find("does not ask the tables"), std::string::npos);
    world.question.daemon = "in.ftpd";
    EXPECT_EQ(world.explain("10.1.2.3").exit_code, kExitDenied);
}

TEST(Explain, NamesAMistakeInTheTables)
{
    World world("safetpd: ALL: ALL\n", "");
    EXPECT_NE(world.explain("10.1.2.3").text.find("denied by a mistake in /etc/hosts.allow:1"), std::string::npos);
    EXPECT_NE(world.explain("10.1.2.3").text.find("bad option name"), std::string::npos);
    World broken("", "");
    broken.files.deny.state = access::FileText::State::directory;
    EXPECT_EQ(broken.explain("10.1.2.3").exit_code, kExitDenied);
    EXPECT_NE(broken.explain("10.1.2.3").text.find("a table cannot be used"), std::string::npos)
        << broken.explain("10.1.2.3").text;
}

TEST(Explain, KeepsALongTableShort)
{
    std::string allow;
    for (int i = 0; i < 100; ++i)
        allow += "safetpd: 10.2.3." + std::to_string(i) + "\n";
    World world(allow + "safetpd: 10.1.2.3\n", "ALL: ALL\n");
    const std::string text = world.explain("10.1.2.3").text;
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 20) << text;
    EXPECT_NE(text.find("      101 safetpd: 10.1.2.3"), std::string::npos) << text;
}

TEST(Explain, WritesJson)
{
    World world("safetpd: \"\\x: ALL\nsafetpd: .example.org : keepalive\n", "ALL: ALL\n");
    const Explanation explanation = world.explain("192.0.2.7", true);
    EXPECT_EQ(explanation.exit_code, kExitGranted);
    for (const char* expected : {"{\"granted\":true,\"reading\":\"safe\"", "\"client_name\":\"good.example.org\"",
             "\"outcome\":\"granted\",\"matched\":{\"file\":\"/etc/hosts.allow\",\"line\":2}",
             "\"kind\":\"effect\",\"text\":\"keepalive\"", "\"server_port\":21"})
        EXPECT_NE(explanation.text.find(expected), std::string::npos) << expected << "\n" << explanation.text;
}

TEST(Explain, ShowsNothingThatCouldSteerATerminal)
{
    World world("safetpd: a\x1b[2J : spawn echo \x1b\nsafetpd: ALL\n", "");
    world.question.name = "x\x1b[1m";
    EXPECT_EQ(world.explain("10.1.2.3").text.find('\x1b'), std::string::npos);
    EXPECT_EQ(world.explain("10.1.2.3", true).text.find('\x1b'), std::string::npos);
}

TEST(InetdServices, AreKnownByTheLastPartOfArgv0)
{
    EXPECT_EQ(inetd_services("# ftp stream tcp nowait root /usr/sbin/tcpd x\n"
                             "ftp stream tcp nowait root /usr/sbin/tcpd wu.ftpd -l\n"
                             "raw-ftp stream tcp nowait root /usr/sbin/safetp-tcpd /opt/sbin/ftpd\n"
                             "time stream tcp nowait root internal\nshort line\n\n"
                             "ssh stream tcp nowait root /usr/sbin/sshd\nx stream tcp nowait root /usr/sbin/tcpd"),
        (std::vector<InetdService>{{2, "wu.ftpd", "/usr/sbin/wu.ftpd", "/usr/sbin/tcpd"},
            {3, "ftpd", "/opt/sbin/ftpd", "/usr/sbin/safetp-tcpd"}, {7, "sshd", "/usr/sbin/sshd", ""},
            {8, "", "", "/usr/sbin/tcpd"}}));
    EXPECT_TRUE(inetd_services("").empty());
}

} // namespace safetp::explain
