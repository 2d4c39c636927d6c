// Whoever is told that a rule is never reached takes it out. So it must be true: random tables are asked by random clients, and
// what decided must not be among the rules that lint calls hidden.
#include "access/evaluation.h"
#include "access/lint.h"

#include <gtest/gtest.h>
#include <random>
#include <set>

namespace safetp::access {

namespace {

using Random = std::mt19937;

std::string pick(Random& random, const std::vector<std::string>& words) { return words[random() % words.size()]; }

const std::vector<std::string> kDaemons{"ftpd", "FTPD", "sshd", "ALL", "*", "*ftpd", "?ftpd", "KNOWN", "21", "2*", ".ftpd",
    "v.", "ftpd@10.0.0.1", "sshd@10.0.0.0/8", "ALL@ALL", "ftpd@10.0.0.1/8"};
const std::vector<std::string> kClients{"ALL", "*", "10.", "10.1.", "10.1.2.3", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/16",
    "10.1.2.3/255.255.255.255", "0.0.0.0/0", "10.1.0.0/16x", "10.0.0.0/33", "010.1.0.0/16", "10.*", "10.1.2.?",
    "[2001:db8::]/32", "[2001:db8::1]", "[2001:db8::1]/16", "[2001:db8::]/x", "[::]/0", ".example.org", "a.example.org",
    ".b.example.org", "*.example.org", "?.example.org", "A.*", "a.", "KNOWN", "LOCAL", "UNKNOWN", "PARANOID", "joe@ALL",
    "joe@10.", "joe@.example.org", "ann@10.1.2.3", "@g", "/f", "/e", "/none", "joe@/f", "[fe80::1]", "[::ffff:10.1.2.3]",
    ".2.3", "10.1.2.3."};
const std::vector<std::string> kOptions{"", "", "", " : allow", " : deny", " : keepalive", " : nonsense", " : severity warn"};

std::string list(Random& random, const std::vector<std::string>& words)
{
    std::string text = pick(random, words);
    for (auto more = random() % 3; more > 0; --more)
        text += (random() % 4 == 0 ? " EXCEPT " : ", ") + pick(random, words);
    return text;
}

FileText table(Random& random)
{
    FileText file{.state = FileText::State::text, .text = {}, .os_error = 0};
    for (auto rules = random() % 6; rules > 0; --rules)
        file.text += list(random, kDaemons) + ": " + list(random, kClients) + pick(random, kOptions) + "\n";
    return file;
}

Request request(Random& random)
{
    Request request;
    request.daemon = pick(random, {"ftpd", "sshd", "vsftpd", "v.ftpd", "2121"});
    request.client_address = pick(random,
        {"10.1.2.3", "10.1.9.9", "10.9.9.9", "8.1.0.1", "11.0.0.1", "2001:db8::1", "2001:db8::2", "2001::1", "::ffff:10.1.2.3",
            "unknown", "fe80::1"});
    request.server_address = pick(random, {"10.0.0.1", "10.0.0.2", "11.0.0.1"});
    request.client_name = pick(random,
        {"a.example.org", "x.b.example.org", "example.org", "a.evil", "a", "10.1.evil", "10.1.2.3.evil", "unknown",
            "paranoid"});
    request.client_user = pick(random, {"joe", "ann", "unknown"});
    request.server_name = "unknown";
    request.server_port = static_cast<std::uint16_t>(random() % 2 == 0 ? 21 : 2121);
    request.client_port = 40000;
    return request;
}

Verdict evaluate(const Tables& tables, Request asked)
{
    Evaluation evaluation(tables, std::move(asked), {});
    Step step = evaluation.start();
    while (!std::holds_alternative<Verdict>(step)) {
        if (std::holds_alternative<LookUp>(step))
            step = evaluation.learn(kUnknown);
        else if (const auto* group = std::get_if<AskNetgroup>(&step))
            step = evaluation.answer_netgroup(group->host == "a.example.org");
        else if (std::holds_alternative<RunCommand>(step))
            step = evaluation.answer_command(0);
        else
            step = evaluation.answer_effect(0);
    }
    return std::get<Verdict>(step);
}

std::set<std::pair<std::string, unsigned>> hidden_rules(const TableFiles& files, Reading reading)
{
    std::set<std::pair<std::string, unsigned>> hidden;
    for (const Finding& finding : lint(files, {.reading = reading}))
        if (finding.text.starts_with("never reached") || finding.text.starts_with("not needed")
            || finding.text.starts_with("the same rule"))
            hidden.emplace(finding.file, finding.line);
    return hidden;
}

class Order : public testing::TestWithParam<Reading> { };

TEST_P(Order, NoRuleThatIsCalledHiddenEverDecides)
{
    Random random(20240607);
    std::size_t seen = 0;
    for (int round = 0; round < 2000; ++round) {
        TableFiles files;
        files.allow_path = "a";
        files.deny_path = "d";
        files.allow = table(random);
        files.deny = table(random);
        files.others["/f"] = {.state = FileText::State::text, .text = "10.1. a.example.org 10.0.0.0/33\n", .os_error = 0};
        files.others["/e"] = {.state = FileText::State::unreadable, .text = {}, .os_error = 13};
        const auto hidden = hidden_rules(files, GetParam());
        seen += hidden.size();
        const std::vector<std::byte> image = compile(files, GetParam());
        const auto tables = Tables::open(image);
        ASSERT_TRUE(tables);
        for (int asked = 0; asked < (hidden.empty() ? 0 : 100); ++asked) {
            const Request one = request(random);
            const Verdict verdict = evaluate(*tables, one);
            if (!verdict.matched)
                continue;
            const std::string path = verdict.matched->table == TableName::allow ? "a" : "d";
            ASSERT_FALSE(hidden.contains({path, verdict.matched->line}))
                << path << ":" << verdict.matched->line << " decided about " << one.client_address << " (" << *one.client_name
                << ") for " << one.daemon << "\n"
                << files.allow.text << "--\n"
                << files.deny.text;
        }
    }
    EXPECT_GT(seen, 250u); // else this shows nothing
}

INSTANTIATE_TEST_SUITE_P(Readings, Order, testing::Values(Reading::strict, Reading::safe));

} // namespace

// "Never matches" is a strong word too.
TEST(LintWords, WhatIsSaidNeverToMatchDoesNot)
{
    std::vector<std::string> clients = kClients;
    for (const char* more : {"10.1.2.03", "10.1", "10.1.2.300", "10.1.2.3-9", "10.1.2.0/255.255.255.255", "10.1.2.3/24",
             "10.1/16", "255.255.255.255/8", "10.0.0.0/", "10.0.0.0/abc", "[10.1.2.3]", "[::ffff:0:0]/96", "[2001:db8:]",
             "[2001:db8::]/129", "joe@", "\"10.1.2.3\"", "10.1.2.3;", "!10.1.2.3", "-10.", "10.1.2.3\\", "(10.1.2.3)",
             "10.1.2.3]", "*.example.org/24", "a.example.org/24", "10.1.2.3/8/8", "EXCEPT 10.", "[2001:db8::1]x"})
        clients.emplace_back(more);
    Random random(3);
    unsigned said = 0;
    for (const std::string& client : clients) {
        TableFiles files;
        files.allow = {.state = FileText::State::text, .text = "ALL: " + client + "\n", .os_error = 0};
        bool never = false;
        for (const Finding& finding : lint(files, {.reading = Reading::strict}))
            never = never
                || (finding.text.find("never matches") != std::string::npos && finding.severity == Finding::Severity::error);
        const std::vector<std::byte> image = compile(files, Reading::strict);
        for (int asked = 0; never && asked < 400; ++asked)
            ASSERT_FALSE(evaluate(*Tables::open(image), request(random)).matched) << client;
        said += never ? 1 : 0;
    }
    EXPECT_GT(said, 25u);
}

TEST(LintRobustness, TakesAnyBytes)
{
    Random random(7);
    const std::string seed
        = "ftpd, ALL EXCEPT sshd@[2001:db8::1]: 10.1.2.0/24, joe@.example.org /f @g : spawn echo %a\\:b : allow\n# x \\\n"
          "ALL: PARANOID, 2001:db8::1: severity warn\n";
    for (int round = 0; round < 10000; ++round) {
        TableFiles files;
        std::string text = seed;
        for (auto changes = 1 + random() % 8; changes > 0; --changes) {
            const std::size_t at = random() % text.size();
            constexpr std::string_view kBytes("\0\n\r\\[]@:/.*?%#, \xff", 17);
            if (random() % 3 == 0)
                text.erase(at, 1 + random() % 4);
            else
                text.insert(at, 1, kBytes[random() % kBytes.size()]);
            if (text.empty())
                text = seed;
        }
        files.allow = {.state = FileText::State::text, .text = text, .os_error = 0};
        files.others["/f"] = files.allow;
        for (const Finding& finding : lint(files, {.reading = random() % 2 == 0 ? Reading::safe : Reading::strict})) {
            ASSERT_FALSE(finding.text.empty());
            ASSERT_EQ(finding.to_string().find_first_of(std::string_view("\0\n\r", 3)), std::string::npos)
                << finding.to_string();
        }
    }
}

} // namespace safetp::access
