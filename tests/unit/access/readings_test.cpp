// The accidents of libwrap: strict copies them, safe does not and says so.
#include "access/decide.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace safetp::access {

namespace {

using Lines = std::vector<std::string>;

struct Difference {
    std::string name;
    std::string allow;
    std::string deny;
    bool strict;
    bool safe;
    std::string address = "10.1.2.3";
    std::string client_name = "ws3.lab.example";
};

/// So many ways through eight levels that nobody could walk them all.
std::string tangle()
{
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "/tangle ";
    return text;
}

Question question_of(const Difference& difference, Reading reading)
{
    Question question;
    question.reading = reading;
    question.allow = difference.allow;
    question.deny = difference.deny;
    question.address = difference.address;
    question.name = difference.client_name;
    question.exit_status = 1;
    question.files = {{"/dir", {FileText::State::directory, "", 0}}, {"/locked", {FileText::State::unreadable, "", EACCES}},
        {"/me", file("/me")}, {"/tangle", file(tangle())}, {"/names_locked", file("/locked 10.1.2.3")},
        {"/long", file(std::string(8192, 'x') + " 10.1.2.3")}, {"/0", file("10.1.2.3")}};
    for (char digit = '1'; digit <= '8'; ++digit)
        question.files[std::string("/") + digit] = file(std::string("/") + static_cast<char>(digit - 1));
    return question;
}

class Readings : public testing::TestWithParam<Difference> { };

TEST_P(Readings, Differ)
{
    const Answer strict = decide(question_of(GetParam(), Reading::strict));
    EXPECT_EQ(strict.verdict.granted(), GetParam().strict);
    const Answer safe = decide(question_of(GetParam(), Reading::safe));
    EXPECT_EQ(safe.verdict.granted(), GetParam().safe);
    if (strict.verdict.granted() && !safe.verdict.granted()) {
        const auto is_warning = [](const std::string& report) { return report.starts_with("err: warning: /hosts."); };
        EXPECT_TRUE(std::ranges::any_of(safe.reports, is_warning)) << "a refusal without a word";
    }
}

constexpr const char* kAll = "ALL: ALL\n";
const std::string kNul(1, '\0');

INSTANTIATE_TEST_SUITE_P(Tables, Readings,
    testing::Values(Difference{"last_line_of_allow", "ftpd: ALL", kAll, false, false},
        Difference{"last_line_of_allow_refuses", "ftpd: 10.1.2.3 : deny", "", true, false},
        Difference{"last_line_of_deny", "", "telnetd: ALL", false, false},
        Difference{"last_line_of_deny_matches", "", "ftpd: ALL", false, false},
        Difference{"too_long_allow", "#" + std::string(2048, ' ') + "\nftpd: 10.1.2.3 : deny\n", "", true, false},
        Difference{"too_long_deny", "", "#" + std::string(2048, ' ') + "\n", false, false},
        Difference{"nuls", "", std::string(100, '\0'), true, false},
        Difference{"mark_refuses", "", "\xef\xbb\xbf" + std::string(kAll), true, false},
        Difference{"mark_does_not_grant", "\xef\xbb\xbf" + std::string(kAll), kAll, false, false},
        Difference{"comment_grants_no_more", "ftpd: 10.9.9.9 # not ALL\n", kAll, true, false},
        Difference{"comment_keeps_the_word", "ftpd: 10.1.2.3 # the office\n", kAll, true, true},
        Difference{"comment_refuses", "", "ftpd: 10.9.9.9 # not ALL\n", false, false},
        Difference{"comment_refuses_by_address", "", "ftpd: 10.9.9.9 # 10.1.0.0/16\n", false, false},
        Difference{"comment_refuses_by_name", "", "ftpd: .nowhere.example\nftpd: 10.9.9.9 # .lab.example\n", false, false},
        Difference{"comment_refuses_in_allow", "ftpd: 10.9.9.9 # ALL : deny\nALL: ALL\n", kAll, false, false},
        Difference{"comment_refuses_another_daemon", "", "telnetd: 10.9.9.9 # not ALL\n", true, true},
        Difference{"comment_with_exception", "", "ftpd: 10.9.9.9 # ALL EXCEPT 10.1.\n", true, true},
        Difference{"comment_excepts_in_allow", "ftpd: ALL EXCEPT 10.9. # 10.1.\n", kAll, false, false},
        Difference{"comment_excepts_daemon", "ALL EXCEPT telnetd # ftpd : ALL\n", kAll, false, false},
        Difference{"comment_excepts_from_exception", "ftpd: ALL EXCEPT 10. EXCEPT 10.9. # 10.1.\n", kAll, true, false},
        Difference{"comment_excepts_nobody", "", "ftpd: ALL # EXCEPT 10.1.\n", true, false},
        Difference{"indented_comment_grants_nobody", " # not ALL: ALL\n", kAll, true, false},
        Difference{"indented_comment_refuses", "", " # not ALL: ALL\n", false, false},
        Difference{"comment_keeps_options", "ftpd: 10.1.2.3 # bad : deny\n", "", false, false}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(Patterns, Readings,
    testing::Values(Difference{"digits_and_name", "ftpd: 192.*\n", kAll, true, false, "10.1.2.3", "192.evil.example"},
        Difference{"digits_and_name_refuse", "", "ftpd: 192.*\n", false, false, "10.1.2.3", "192.evil.example"},
        Difference{"digits_and_name_excepted", "ftpd: ALL EXCEPT 192.*\n", kAll, false, false, "10.1.2.3", "192.x.example"},
        Difference{"digits_and_name_excepted_refuse", "", "ftpd: ALL EXCEPT 192.*\n", true, false, "10.1.2.3", "192.x.example"},
        Difference{"host_bits_grant_nobody", "ftpd: 10.1.2.3/24\n", kAll, false, false},
        Difference{"host_bits_refuse", "", "ftpd: 10.1.2.3/24\n", true, false},
        Difference{"host_bits_refuse_in_allow", "ftpd: 10.1.2.3/24 : deny\nALL: ALL\n", "", true, false},
        Difference{"host_bits_grant_nobody_in_deny", "", "ftpd: 10.1.2.3/24 : allow\nALL: ALL\n", false, false},
        Difference{"all_ones", "ftpd: 10.1.2.3/255.255.255.255\n", kAll, false, false},
        Difference{"junk_grants_nobody", "ftpd: [2001:db8::]/junk\n", kAll, true, false, "2001:db9::1"},
        Difference{"junk_refuses", "", "ftpd: [2001:db8::]/junk\n", false, false, "2001:db9::1"},
        Difference{"unreadable_net_refuses", "", "ftpd: 10.0.0.0/33\n", true, false},
        Difference{"octal_grants_nobody", "ftpd: 012.0.0.0/8\n", kAll, true, false},
        Difference{"other_interface", "ftpd: [fe80::1%1]\n", kAll, true, false, "fe80::1%2"},
        Difference{"same_interface", "ftpd: [fe80::1%1]\n", kAll, true, true, "fe80::1%1"},
        Difference{"directory_of_patterns", "", "ftpd: /dir\n", true, false},
        Difference{"locked_patterns", "", "ftpd: /locked\n", true, false},
        Difference{"locked_patterns_grant_nobody", "ftpd: /locked\n", kAll, false, false},
        Difference{"locked_patterns_excepted", "ftpd: ALL EXCEPT /locked\n", kAll, true, false},
        Difference{"file_names_itself", "ftpd: /me\n", kAll, false, false},
        Difference{"file_names_itself_refuses", "ftpd: 10.1.\n", "ftpd: /me\n", true, true},
        Difference{"tangle_refuses", "ftpd: 10.9.\n", "ftpd: /tangle\n", false, false},
        Difference{"file_names_locked", "ftpd: /names_locked\n", kAll, true, false},
        Difference{"file_names_locked_refuse", "", "ftpd: /names_locked\n", false, false},
        Difference{"eight_files", "ftpd: /7\n", kAll, true, true}, Difference{"nine_files", "ftpd: /8\n", kAll, true, false},
        Difference{"long_word", "ftpd: /long\n", kAll, false, false},
        Difference{"long_name", "ftpd: .lab.example\n", kAll, false, true, "10.1.2.3", std::string(150, 'x') + ".lab.example"},
        Difference{
            "long_name_refused", "", "ftpd: .lab.example\n", true, false, "10.1.2.3", std::string(150, 'x') + ".lab.example"}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(Commands, Readings,
    testing::Values(Difference{"failed_in_allow", "ftpd: ALL: aclexec x\nftpd: 10.\n", kAll, false, false},
        Difference{"failed_spoils_no_other_rule", "ftpd: ALL: aclexec x\n", "ALL: ALL: keepalive\n", true, false},
        Difference{"failed_before_allow", "ftpd: ALL: aclexec x: allow\n", kAll, true, false},
        Difference{"failed_before_deny", "", "ftpd: ALL: aclexec x: deny\n", false, false},
        Difference{"failed_in_deny", "", "ftpd: ALL: aclexec x\nALL: ALL\n", true, false},
        Difference{"failed_in_deny_only", "", "ftpd: ALL: aclexec x\n", true, true},
        Difference{"newer_severity", "ftpd: ALL: severity authpriv.warn\n", kAll, false, false}),
    [](const auto& each) { return each.param.name; });

struct TableState {
    FileText::State allow, deny;
    bool strict, safe;
};

class TableStates : public testing::TestWithParam<TableState> { };

TEST_P(TableStates, DecideAsTheReadingSays)
{
    Question question;
    question.allow_state = GetParam().allow;
    question.deny_state = GetParam().deny;
    EXPECT_EQ(decide(question).verdict.granted(), GetParam().strict);
    question.reading = Reading::safe;
    const Answer safe = decide(question);
    EXPECT_EQ(safe.verdict.granted(), GetParam().safe);
    EXPECT_EQ(safe.reports.empty(), GetParam().safe);
}

constexpr auto kMissing = FileText::State::missing;
constexpr auto kDirectory = FileText::State::directory;
constexpr auto kUnreadable = FileText::State::unreadable;

INSTANTIATE_TEST_SUITE_P(Both, TableStates,
    testing::Values(TableState{kMissing, kMissing, true, true}, TableState{kUnreadable, kMissing, true, false},
        TableState{kMissing, kUnreadable, false, false}, TableState{kDirectory, kMissing, true, false},
        TableState{kMissing, kDirectory, true, false}));

TEST(LibraryStateOfStrict, CarriesItsAccidentsToOtherRequests)
{
    LibraryState state;
    Question first;
    first.settings.state = &state;
    first.allow = "ftpd: ALL: severity mail.err: rfc931 5: aclexec x\n";
    first.exit_status = 1;
    decide(first);
    EXPECT_TRUE(state.aclexec_failed);
    Question second;
    second.settings.state = &state;
    second.deny = "ALL: ALL: keepalive\n";
    const Answer answer = decide(second);
    EXPECT_TRUE(answer.verdict.granted());
    EXPECT_EQ(answer.reports, Lines{"info: aclexec returned 1"});
    EXPECT_EQ(answer.verdict.severity, "mail.err");
    EXPECT_EQ(state.rfc931_seconds, 5u);

    first.exit_status = 0;
    decide(first);
    EXPECT_FALSE(decide(second).verdict.granted());
}

TEST(LibraryStateOfStrict, KeepsTheContextOfAnError)
{
    LibraryState state;
    Question question;
    question.settings.state = &state;
    question.allow = "\nALL: ALL: nonsense\n";
    decide(question);
    question.allow_state = FileText::State::unreadable;
    question.deny = "x: y\n";
    EXPECT_EQ(decide(question).reports.at(0),
        "err: warning: /hosts.allow, line 2: cannot open /hosts.allow: Too many levels of symbolic links");
}

TEST(LibraryStateOfSafe, IsNotTouched)
{
    LibraryState state;
    state.aclexec_failed = true;
    Question question;
    question.reading = Reading::safe;
    question.settings.state = &state;
    question.deny = "ALL: ALL: severity mail.err\n";
    EXPECT_FALSE(decide(question).verdict.granted());
    EXPECT_TRUE(state.severity.empty());
}

TEST(Requests, WithoutEndpointsLookNothingUp)
{
    Question question;
    question.allow = "ftpd@gate.example: ALL\n21: ALL\nftpd: .example\nftpd: ann@ALL\nftpd: @lab\n";
    question.deny = "ALL: UNKNOWN\n";
    question.has_endpoints = false;
    const Answer answer = decide(question);
    EXPECT_EQ(answer.matched, "deny:1");
    EXPECT_TRUE(answer.lookups.empty());
}

TEST(Requests, AskNobodyWithoutBothPorts)
{
    Question question;
    question.allow = "ftpd: ann@ALL\n";
    question.deny = kAll;
    question.server_port = std::nullopt;
    const Answer answer = decide(question);
    EXPECT_FALSE(answer.verdict.granted());
    EXPECT_TRUE(answer.lookups.empty());
}

TEST(Warnings, NameTheRuleThatAsked)
{
    TableFiles files;
    files.deny = file("\n\nftpd: .example\n");
    const auto image = compile(files, Reading::strict);
    Request request;
    request.daemon = "ftpd";
    request.client_port = request.server_port = 1;
    Evaluation evaluation(Tables::open(image).value(), request, {});
    EXPECT_EQ(evaluation.warning("x").text, "warning: x");
    ASSERT_TRUE(std::holds_alternative<LookUp>(evaluation.start()));
    EXPECT_EQ(evaluation.warning("x"), (Report{"err", "warning: /etc/hosts.deny, line 3: x"}));
    EXPECT_TRUE(std::holds_alternative<Verdict>(evaluation.learn("")));
    EXPECT_EQ(evaluation.request().client_name, "unknown");
}

TEST(Warnings, SayWhichCommandWasKilled)
{
    TableFiles files;
    files.allow = file("ftpd: ALL: aclexec x\n");
    const auto image = compile(files, Reading::strict);
    Request request;
    request.daemon = "ftpd";
    Evaluation evaluation(Tables::open(image).value(), request, {});
    ASSERT_TRUE(std::holds_alternative<RunCommand>(evaluation.start()));
    const Step step = evaluation.answer_command(0, 9, 4711);
    EXPECT_EQ(std::get<Verdict>(step).outcome, Outcome::granted) << "by an empty hosts.deny";
    const std::vector<Report> expected{
        {"err", "warning: /etc/hosts.allow, line 1: process 4711 exited with signal 9"}, {"info", "aclexec returned 1"}};
    EXPECT_EQ(evaluation.take_reports(), expected);
}

TEST(Warnings, ComeOnceAlthoughTheRuleWaitedForAnswers)
{
    Question question;
    question.allow = "ftpd: /locked .nowhere bob@ALL\nno colon\nftpd: .example\n";
    question.files = {{"/locked", {FileText::State::unreadable, "", EACCES}}};
    const Answer answer = decide(question);
    EXPECT_EQ(answer.matched, "allow:3");
    EXPECT_EQ(answer.reports,
        (Lines{"err: warning: /hosts.allow, line 1: open /locked: Permission denied",
            "err: warning: /hosts.allow, line 2: missing \":\" separator"}));
}

/// Twenty times each other: libwrap would go through 20^8 words at a depth of eight.
Question question_with_loops(std::string allow, std::string deny)
{
    std::string names;
    for (int i = 0; i < 20; ++i)
        names += "/one /two ";
    Question question;
    question.reading = Reading::safe;
    question.allow = std::move(allow);
    question.deny = std::move(deny);
    question.files = {{"/one", file(names)}, {"/two", file(names)}, {"/good", file("/twice /twice 10.1.2.3")},
        {"/twice", file("10.9.9.9 ")}};
    return question;
}

TEST(PatternFilesThatNameEachOther, AreGoneThroughOnce)
{
    const Answer answer = decide(question_with_loops("ALL: /one\n", kAll));
    EXPECT_EQ(answer.matched, "deny:1");
    EXPECT_FALSE(answer.reports.empty());
    EXPECT_LE(answer.reports.size(), 100u);
}

TEST(PatternFilesThatNameEachOther, RefuseWhereTheyRefuse)
{
    const Answer answer = decide(question_with_loops("", "ALL: /one\n"));
    EXPECT_EQ(answer.matched, "deny:1");
    EXPECT_EQ(answer.reports, (Lines{"err: warning: /hosts.deny, line 1: /one: this pattern file names itself"}));
}

TEST(PatternFilesThatNameEachOther, AreNoFilesThatAreNamedTwice)
{
    const Answer answer = decide(question_with_loops("ALL: /twice /good\n", kAll));
    EXPECT_EQ(answer.matched, "allow:1");
    EXPECT_TRUE(answer.reports.empty());
}

} // namespace
} // namespace safetp::access
