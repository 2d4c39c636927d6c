#include "access/decide.h"

#include <gtest/gtest.h>

namespace safetp::access {

namespace {

using Lines = std::vector<std::string>;

Answer with_options(const std::string& options, Reading reading = Reading::strict)
{
    Question question;
    question.reading = reading;
    question.allow = "ftpd: ALL : " + options + "\n";
    question.deny = "ALL: ALL\n";
    question.exit_status = options.find("aclexec") == std::string::npos ? 0 : 1;
    return decide(question);
}

struct BadOption {
    std::string options;
    std::string complaint;
};

class BadOptions : public testing::TestWithParam<BadOption> { };

TEST_P(BadOptions, DenyAndSayWhy)
{
    const Answer answer = with_options(GetParam().options);
    EXPECT_EQ(answer.verdict.outcome, Outcome::error);
    EXPECT_EQ(answer.matched, "allow:1");
    EXPECT_EQ(answer.reports, Lines{"err: error: /hosts.allow, line 1: " + GetParam().complaint});
}

INSTANTIATE_TEST_SUITE_P(Table, BadOptions,
    testing::Values(BadOption{"", "missing option name"}, BadOption{"severity err :", "missing option name"},
        BadOption{"=", "missing option name"}, BadOption{"nonsense 1", "bad option name: \"nonsense\""},
        BadOption{"Allow x", "option \"Allow\" requires no value"}, BadOption{"allow: deny", "option \"allow\" must be at end"},
        BadOption{"linger", "option \"linger\" requires value"}, BadOption{"linger =", "option \"linger\" requires value"},
        BadOption{"linger -1", "bad linger value: \"-1\""}, BadOption{"linger 5 s", "bad linger value: \"5 s\""},
        BadOption{"umask 8", "bad umask value: \"8\""}, BadOption{"umask 1000", "bad umask value: \"1000\""},
        BadOption{"nice x", "bad nice value: \"x\""}, BadOption{"rfc931 0", "bad rfc931 timeout: \"0\""},
        BadOption{"severity warn", "bad syslog facility or severity: \"warn\""},
        BadOption{"severity authpriv.info", "bad syslog facility or severity: \"authpriv\""},
        BadOption{"severity none", "bad syslog facility or severity: \"none\""},
        BadOption{"severity mail.", "bad syslog facility or severity: \"\""},
        BadOption{"setenv A=b", "memory allocation failure"}, BadOption{"twist x", "twist option in resident process"},
        BadOption{"a\\:b", "bad option name: \"a:b\""}, BadOption{"setenv\vA b", "bad option name: \"setenv\vA\""}));

TEST(Options, AllowAndDenyHaveTheLastWord)
{
    EXPECT_EQ(with_options("deny").verdict.outcome, Outcome::denied);
    EXPECT_EQ(with_options(" ALLOW ").verdict.outcome, Outcome::granted);
    Question question;
    question.deny = "ftpd: ALL: allow\nALL: ALL\n";
    EXPECT_TRUE(decide(question).verdict.granted());
}

TEST(Options, AreNotLookedAtWithoutAMatch)
{
    Question question;
    question.allow = "ftpd: 10.9. : nonsense\n";
    EXPECT_TRUE(decide(question).verdict.granted());
    EXPECT_TRUE(decide(question).reports.empty());
}

TEST(Options, Effects)
{
    const Answer answer = with_options("keepalive: linger=0 :umask 027: nice :nice -5 : setenv A b  c : setenv N = v");
    ASSERT_EQ(answer.effects.size(), 7u);
    EXPECT_TRUE(answer.verdict.granted());
    EXPECT_TRUE(std::holds_alternative<ApplyKeepalive>(answer.effects[0]));
    EXPECT_EQ(std::get<ApplyLinger>(answer.effects[1]).seconds, 0);
    EXPECT_EQ(std::get<ApplyUmask>(answer.effects[2]).mask, 027u);
    EXPECT_EQ(std::get<ApplyNice>(answer.effects[3]).increment, 10);
    EXPECT_EQ(std::get<ApplyNice>(answer.effects[4]).increment, -5);
    EXPECT_EQ(std::get<ApplySetenv>(answer.effects[5]).value, "b  c");
    EXPECT_EQ(std::get<ApplySetenv>(answer.effects[6]).value, "= v");
}

TEST(Options, DryRunHasNoEffectsButThoseOfTcpdmatch)
{
    Question question;
    question.allow = "ALL: ALL: keepalive: linger 1: nice: user root: spawn x: aclexec y: umask 022: setenv A b: twist z\n";
    question.settings.dry_run = true;
    const Answer answer = decide(question);
    EXPECT_EQ(answer.verdict.outcome, Outcome::twisted);
    EXPECT_EQ(answer.verdict.twist, "z");
    EXPECT_EQ(answer.effects.size(), 2u);
    EXPECT_TRUE(answer.commands.empty());
    EXPECT_TRUE(answer.reports.empty());
}

TEST(Options, FailedEffectsAreWarnings)
{
    Question question;
    question.allow = "ALL: ALL: keepalive: linger 7: nice 3\n";
    question.os_error = EBADF;
    const Answer answer = decide(question);
    EXPECT_TRUE(answer.verdict.granted());
    EXPECT_EQ(answer.reports,
        (Lines{"err: warning: /hosts.allow, line 1: setsockopt SO_KEEPALIVE: Bad file descriptor",
            "err: warning: /hosts.allow, line 1: setsockopt SO_LINGER 7: Bad file descriptor",
            "err: warning: /hosts.allow, line 1: nice(3): Bad file descriptor"}));
}

TEST(Options, UsersAreCheckedAndInTheSafeReadingBecome)
{
    const Answer strict = with_options("user ann.staff");
    ASSERT_EQ(strict.effects.size(), 2u);
    EXPECT_EQ(std::get<ApplyGroup>(strict.effects[0]).group, "staff");
    EXPECT_TRUE(std::get<ApplyGroup>(strict.effects[0]).check_only);
    EXPECT_EQ(std::get<ApplyUser>(strict.effects[1]).user, "ann");
    EXPECT_FALSE(std::get<ApplyUser>(with_options("user ann", Reading::safe).effects.at(0)).check_only);

    Question question;
    question.allow = "ALL: ALL: user ann.staff: keepalive\n";
    question.os_error = ENOENT;
    const Answer unknown = decide(question);
    EXPECT_EQ(unknown.verdict.outcome, Outcome::error);
    EXPECT_EQ(unknown.effects.size(), 1u);
    EXPECT_EQ(unknown.reports, Lines{"err: error: /hosts.allow, line 1: unknown group: \"staff\""});
}

TEST(Options, SeverityIsTheVerdicts)
{
    EXPECT_EQ(with_options("severity MAIL.Err").verdict.severity, "mail.err");
    EXPECT_EQ(with_options("severity debug").verdict.severity, "debug");
    for (const char* unknown : {"severity authpriv.info", "severity warn", "severity none"})
        EXPECT_EQ(with_options(unknown, Reading::safe).verdict.outcome, Outcome::error) << unknown;
}

TEST(Options, IdentIsAskedAtOnceAndOnlyOnce)
{
    const Answer answer = with_options("spawn 1 %c: rfc931 4: spawn 2 %c %u");
    EXPECT_EQ(answer.lookups, Lines{"client_user"});
    EXPECT_EQ(answer.commands, (Lines{"spawn 1 10.1.2.3", "spawn 2 ann@10.1.2.3 ann"}));
}

TEST(Options, BannersAreExpandedLineByLine)
{
    Question question;
    question.allow = "ALL: ALL: banners /b: banners /none\n";
    question.files
        = {{"/b", {FileText::State::directory, "", 0}}, {"/b/ftpd", file(std::string("\0hello %a\n[x\n%n last", 20))}};
    const Answer answer = decide(question);
    ASSERT_EQ(answer.effects.size(), 1u);
    EXPECT_EQ(std::get<SendBanner>(answer.effects[0]).text, std::string("\0hello 10.1.2.3\r\n[x\nws3.lab.example last", 40));
    EXPECT_EQ(answer.reports, Lines{"err: warning: /hosts.allow, line 1: /none: No such file or directory"});
}

TEST(Options, TwistTakesTheConnection)
{
    Question question;
    question.deny = "ftpd: ALL: severity mail.err: twist echo %a %n %c\n";
    question.settings.resident = false;
    const Answer answer = decide(question);
    EXPECT_EQ(answer.verdict.outcome, Outcome::twisted);
    EXPECT_EQ(answer.verdict.twist, "echo 10.1.2.3 ws3.lab.example ws3.lab.example");
    EXPECT_EQ(answer.reports, Lines{"mail.err: twist ws3.lab.example to " + answer.verdict.twist});
}

struct ExpansionCase {
    std::string text;
    std::string result;
    Lines lookups;
};

class Expansions : public testing::TestWithParam<ExpansionCase> { };

TEST_P(Expansions, AreCleaned)
{
    Question question;
    question.allow = "ALL: ALL: setenv V " + GetParam().text + "\n";
    question.name = "a b;c.example";
    question.user = "x`y";
    const Answer answer = decide(question);
    EXPECT_EQ(std::get<ApplySetenv>(answer.effects.at(0)).value, GetParam().result);
    EXPECT_EQ(answer.lookups, GetParam().lookups);
}

INSTANTIATE_TEST_SUITE_P(Letters, Expansions,
    testing::Values(ExpansionCase{"%a %A", "10.1.2.3 10.9.9.1", {}}, ExpansionCase{"%d %s", "ftpd ftpd@10.9.9.1", {}},
        ExpansionCase{"%h %n %h", "10.1.2.3 a_b_c.example a_b_c.example", {"client_name"}},
        ExpansionCase{"%c %u %c", "10.1.2.3 x_y x_y@10.1.2.3", {"client_user"}},
        ExpansionCase{"%H %N %H %s", "10.9.9.1 gate.example gate.example ftpd@gate.example", {"server_name"}},
        ExpansionCase{"%p %r %R", "77 40000 21", {}}, ExpansionCase{"100%% %", "100% %", {}}, ExpansionCase{"[%X]", "[]", {}},
        ExpansionCase{"a;b %a", "a;b 10.1.2.3", {}}));

TEST(Expansion, OverflowEndsTheProcessInStrictAndDeniesInSafe)
{
    Question question;
    question.daemon = std::string(120, 'd');
    question.allow = "ALL: ALL: setenv V ";
    for (int i = 0; i < 80; ++i)
        question.allow += "%d";
    question.allow += "\n";
    EXPECT_EQ(decide(question).verdict.outcome, Outcome::exited);
    question.reading = Reading::safe;
    EXPECT_EQ(decide(question).verdict.outcome, Outcome::error);
}

TEST(Expansion, SaysWhatIsMissing)
{
    Request request;
    EXPECT_EQ(expand("x %a", request).text, "x unknown");
    request.client_port = request.server_port = 1;
    EXPECT_EQ(expand("x %n", request).missing, Fact::client_name);
    request.client_name = "n.example";
    EXPECT_EQ(expand("x %n %q", request).missing, std::nullopt);
    EXPECT_EQ(expand("x %n %q", request).text, "x n.example ");
    EXPECT_EQ(expand("x %n %q", request).reports.size(), 1u);
}

} // namespace
} // namespace safetp::access
