// Commands as clients send them, the odd ones included, and as attackers do.
#include "ftp/command.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace safetp::ftp {
namespace {

using std::string_literals::operator""s;

struct Accepted {
    std::string line;
    Verb verb;
    std::string name;
    bool has_argument;
    std::string argument;
};

const std::vector<Accepted> kAccepted{
    {"NOOP", Verb::noop, "NOOP", false, ""},
    {"noop", Verb::noop, "NOOP", false, ""},
    {"uSeR anna", Verb::user, "USER", true, "anna"},
    {"NOOP ", Verb::noop, "NOOP", false, ""},
    {"TYPE  I  ", Verb::type, "TYPE", true, "I"},
    {"TYPE A N ", Verb::type, "TYPE", true, "A N"},
    {"PROT P ", Verb::prot, "PROT", true, "P"},
    {"STAT  ", Verb::stat, "STAT", false, ""},
    {"STAT  a ", Verb::stat, "STAT", true, " a "},
    {"CWD  a ", Verb::other, "CWD", true, " a "},
    {"RETR \x01\x1b[2J\x1f", Verb::retr, "RETR", true, "\x01\x1b[2J\x1f"},
    {"PASS ", Verb::pass, "PASS", true, ""},
    {"PASS  two spaces  ", Verb::pass, "PASS", true, " two spaces  "},
    {"PASS sp ace", Verb::pass, "PASS", true, "sp ace"},
    {"RETR  leading", Verb::retr, "RETR", true, " leading"},
    {"RETR trailing ", Verb::retr, "RETR", true, "trailing "},
    {"RETR \ttab\t", Verb::retr, "RETR", true, "\ttab\t"},
    {"RETR a\"b\"c", Verb::retr, "RETR", true, "a\"b\"c"},
    {"RETR \xc3\xa4.txt", Verb::retr, "RETR", true, "\xc3\xa4.txt"},
    {"RETR \xff", Verb::retr, "RETR", true, "\xff"},
    {"RETR \xff\xf2x", Verb::retr, "RETR", true, "\xff\xf2x"},
    {"RETR a\xff\xff"s + "b", Verb::retr, "RETR", true, "a\xff\xff"s + "b"},
    {"RETR \x7f", Verb::retr, "RETR", true, "\x7f"},
    {"STAT", Verb::stat, "STAT", false, ""},
    {"STOU", Verb::stou, "STOU", false, ""},
    {"XCRC a", Verb::other, "XCRC", true, "a"},
    {"SITE CHMOD 600 x", Verb::other, "SITE", true, "CHMOD 600 x"},
    {"1234", Verb::other, "1234", false, ""},
    {"ABCDEFGHIJKLMNOP x", Verb::other, "ABCDEFGHIJKLMNOP", true, "x"},
    {"USERX anna", Verb::other, "USERX", true, "anna"},
    {"PASSX secret", Verb::other, "PASSX", true, "secret"},
    {"MLST", Verb::other, "MLST", false, ""},
    // Telnet in front of the verb: IP DM, and negotiation of options.
    {"\xff\xf4\xff\xf2"s + "ABOR", Verb::abor, "ABOR", false, ""},
    {"\xff\xf2"s + "ABOR", Verb::abor, "ABOR", false, ""},
    {"\xff\xf4"s + "ABOR", Verb::abor, "ABOR", false, ""},
    {"\xff\xfb\x18NOOP", Verb::noop, "NOOP", false, ""},
    {"\xff\xfd\0NOOP"s, Verb::noop, "NOOP", false, ""},
    {"\xff\xfc\x01\xff\xfe\x03PASS x", Verb::pass, "PASS", true, "x"},
    {"\xff\xfb\xffSTAT", Verb::stat, "STAT", false, ""},
};

TEST(ParseCommand, AcceptsWhatClientsSend)
{
    for (const auto& [line, verb, name, has_argument, argument] : kAccepted) {
        const auto command = parse_command(line);
        ASSERT_TRUE(command) << testing::PrintToString(line);
        EXPECT_EQ(command->verb, verb) << testing::PrintToString(line);
        EXPECT_EQ(command->name, name);
        EXPECT_EQ(command->has_argument, has_argument) << testing::PrintToString(line);
        EXPECT_EQ(command->argument, argument);
    }
}

// What is judged is what is sent on: the line made anew parses to the same command.
TEST(ParseCommand, RoundTrips)
{
    for (const auto& accepted : kAccepted) {
        const auto command = parse_command(accepted.line);
        ASSERT_TRUE(command);
        const std::string line = command->to_line();
        ASSERT_TRUE(line.ends_with("\r\n"));
        const auto again = parse_command(line.substr(0, line.size() - 2));
        ASSERT_TRUE(again) << testing::PrintToString(line);
        EXPECT_EQ(again->verb, command->verb);
        EXPECT_EQ(again->to_line(), line);
    }
}

TEST(Command, IsSentAnewWithoutTelnetAndInUpperCase)
{
    EXPECT_EQ(parse_command("retr  a ")->to_line(), "RETR  a \r\n");
    EXPECT_EQ(parse_command("pwd")->to_line(), "PWD\r\n");
    EXPECT_EQ(parse_command("stat ")->to_line(), "STAT\r\n");
    EXPECT_EQ(parse_command("\xff\xf4\xff\xf2"s + "abor")->to_line(), "ABOR\r\n");
}

struct Refused {
    std::string line;
    CommandProblem problem;
};

const std::vector<Refused> kRefused{
    {"", CommandProblem::empty},
    {"\xff\xf4", CommandProblem::empty},
    {"\xff\xf4\xff\xf2", CommandProblem::empty},
    {"\xff\xfb\x01", CommandProblem::empty},
    {"\xff\xfb", CommandProblem::empty},
    // Characters on which parsers differ: one of them may see a second command.
    {"NOOP\rDELE x", CommandProblem::nul_or_cr},
    {"NOOP\r", CommandProblem::nul_or_cr},
    {"\rNOOP", CommandProblem::nul_or_cr},
    {"\r", CommandProblem::nul_or_cr},
    {"NOOP\nDELE x", CommandProblem::nul_or_cr},
    {"RETR a\0b"s, CommandProblem::nul_or_cr},
    {"RETR a\0"s, CommandProblem::nul_or_cr},
    {"\0"s, CommandProblem::nul_or_cr},
    {"RETR a\r\0DELE b"s, CommandProblem::nul_or_cr},
    {"US\0ER anna"s, CommandProblem::nul_or_cr},
    {"\xff\xf2NOOP\r", CommandProblem::nul_or_cr},
    // No verb.
    {" ", CommandProblem::bad_verb},
    {" NOOP", CommandProblem::bad_verb},
    {"\tNOOP", CommandProblem::bad_verb},
    {"USER\tanna", CommandProblem::bad_verb},
    {"NO-OP", CommandProblem::bad_verb},
    {"N\xc3\x96P", CommandProblem::bad_verb},
    {"NOOP\x7f", CommandProblem::bad_verb},
    {"PASS:secret", CommandProblem::bad_verb},
    {"/etc/passwd", CommandProblem::bad_verb},
    {"ABCDEFGHIJKLMNOPQ x", CommandProblem::bad_verb},
    {std::string(2'000, 'A'), CommandProblem::bad_verb},
    {"\x16\x03\x01", CommandProblem::bad_verb}, // a ClientHello where text is expected
    {"\x80\x2e\xc3\xa4", CommandProblem::bad_verb},
    // IAC that is no Telnet command in front of a verb.
    {"\xff", CommandProblem::bad_verb},
    {"\xff\xff"s + "ABOR", CommandProblem::bad_verb},
    {"\xff"s + "ABOR", CommandProblem::bad_verb},
    {"\xff USER x", CommandProblem::bad_verb},
    {"\xff\xf4\xff", CommandProblem::bad_verb},
    {"NO\xff\xf2OP", CommandProblem::bad_verb},
    {"\xff\x7fNOOP", CommandProblem::bad_verb},
    {"\xff\xefNOOP", CommandProblem::bad_verb},
    {"\xff\0NOOP"s, CommandProblem::nul_or_cr},
    {"\xff\rNOOP"s, CommandProblem::nul_or_cr},
};

TEST(ParseCommand, Refuses)
{
    for (const auto& [line, problem] : kRefused) {
        const auto command = parse_command(line);
        ASSERT_FALSE(command) << testing::PrintToString(line);
        EXPECT_EQ(command.error(), problem) << testing::PrintToString(line);
    }
}

TEST(ParseCommand, RefusesWhatMayEndALineAnywhereInAnArgument)
{
    for (int c = 0; c < 0x20; ++c) {
        for (const std::size_t at : {5u, 6u, 8u}) {
            std::string line = "RETR abc";
            line.insert(at, 1, static_cast<char>(c));
            EXPECT_EQ(parse_command(line).has_value(), c != '\0' && c != '\r' && c != '\n') << c << " at " << at;
        }
    }
}

TEST(ParseCommand, RefusesEveryCharacterInAVerbThatIsNoLetterOrDigit)
{
    for (int c = 0; c < 256; ++c) {
        const bool is_letter_or_digit = c < 128 && std::isalnum(c) != 0;
        const bool ends_verb = c == ' ';
        const std::string line = "NO"s + static_cast<char>(c) + "OP";
        EXPECT_EQ(parse_command(line).has_value(), is_letter_or_digit || ends_verb) << c;
    }
}

TEST(Command, HasNoSecretsInTheLog)
{
    EXPECT_EQ(without_secrets("user anna"), "USER anna");
    EXPECT_EQ(without_secrets("RETR a  b "), "RETR a  b ");
    EXPECT_EQ(without_secrets("CWD /a"), "CWD /a");
    EXPECT_EQ(without_secrets("NOOP"), "NOOP");
    EXPECT_EQ(without_secrets("SITE CHMOD 600 x"), "SITE CHMOD ***");
    EXPECT_EQ(without_secrets("SITE HELP"), "SITE HELP");
    for (const std::string line : {"PASS hush", "pass hush", "\xff\xf4\xff\xf2PASS hush", "PASSX hush", "ACCT hush",
             "ADAT hush", "SITE PSWD hush hush", "MIC hush", "GET hush", "hush hush", "PASS:hush", "PASS\thush"})
        EXPECT_FALSE(without_secrets(line).contains("hush")) << without_secrets(line);
    EXPECT_EQ(without_secrets("PASS hush"), "PASS ***");
    EXPECT_EQ(without_secrets("PASS:hush"), "(no command, 9 bytes)");
}

TEST(ParseCommand, KnowsTheVerbs)
{
    const std::vector<std::pair<const char*, Verb>> verbs{
        {"USER", Verb::user},
        {"PASS", Verb::pass},
        {"ACCT", Verb::acct},
        {"QUIT", Verb::quit},
        {"REIN", Verb::rein},
        {"HOST", Verb::host},
        {"AUTH", Verb::auth},
        {"PBSZ", Verb::pbsz},
        {"PROT", Verb::prot},
        {"CCC", Verb::ccc},
        {"ADAT", Verb::adat},
        {"MIC", Verb::protected_command},
        {"CONF", Verb::protected_command},
        {"ENC", Verb::protected_command},
        {"PASV", Verb::pasv},
        {"EPSV", Verb::epsv},
        {"PORT", Verb::port},
        {"EPRT", Verb::eprt},
        {"LPSV", Verb::third_party},
        {"LPRT", Verb::third_party},
        {"SPSV", Verb::third_party},
        {"CPSV", Verb::third_party},
        {"SSCN", Verb::third_party},
        {"RETR", Verb::retr},
        {"LIST", Verb::list},
        {"NLST", Verb::nlst},
        {"MLSD", Verb::mlsd},
        {"STOR", Verb::stor},
        {"STOU", Verb::stou},
        {"APPE", Verb::appe},
        {"ABOR", Verb::abor},
        {"STAT", Verb::stat},
        {"NOOP", Verb::noop},
        {"FEAT", Verb::feat},
        {"MODE", Verb::mode},
        {"STRU", Verb::stru},
        {"SYST", Verb::syst},
        {"HELP", Verb::help},
        {"OPTS", Verb::opts},
        {"CLNT", Verb::clnt},
        {"GET", Verb::http},
        {"POST", Verb::http},
        {"HEAD", Verb::http},
        {"CONNECT", Verb::http},
        {"OPTIONS", Verb::http},
        {"CWD", Verb::other},
        {"PWD", Verb::other},
        {"SIZE", Verb::other},
        {"REST", Verb::other},
        {"DELE", Verb::other},
        {"RNFR", Verb::other},
        {"AUT", Verb::other},
        {"AUTHX", Verb::other},
    };
    for (const auto& [name, verb] : verbs)
        EXPECT_EQ(parse_command(name)->verb, verb) << name;
}

TEST(Verb, TransfersAndTheirDirections)
{
    for (const auto verb : {Verb::retr, Verb::list, Verb::nlst, Verb::mlsd}) {
        EXPECT_TRUE(is_transfer(verb));
        EXPECT_EQ(direction_of(verb), Direction::download);
    }
    for (const auto verb : {Verb::stor, Verb::stou, Verb::appe}) {
        EXPECT_TRUE(is_transfer(verb));
        EXPECT_EQ(direction_of(verb), Direction::upload);
    }
    for (const auto verb :
        {Verb::other, Verb::pasv, Verb::epsv, Verb::eprt, Verb::third_party, Verb::abor, Verb::stat, Verb::http})
        EXPECT_FALSE(is_transfer(verb));
}

} // namespace
} // namespace safetp::ftp
