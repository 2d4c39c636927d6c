// Each trap of the tables' language: the wrong rule must be found, and its mended form must be met with silence.
#include "access/lint.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace safetp::access {

namespace {

using Severity = Finding::Severity;

FileText text_file(std::string text) { return {.state = FileText::State::text, .text = std::move(text), .os_error = 0}; }

std::string all_of(const std::vector<Finding>& findings)
{
    std::string text;
    for (const Finding& finding : findings)
        text += finding.to_string() + "\n";
    return text;
}

bool has(const std::vector<Finding>& findings, Severity severity, std::string_view words)
{
    return std::ranges::any_of(findings,
        [&](const Finding& finding) { return finding.severity == severity && finding.text.find(words) != std::string::npos; });
}

struct Trap {
    std::string wrong; ///< an allow table
    std::string mended;
    Severity severity;
    std::string words; ///< of the message
};

void PrintTo(const Trap& trap, std::ostream* stream) { *stream << testing::PrintToString(trap.wrong); }

std::vector<Finding> lint_allow(const std::string& allow, const LintSettings& settings = {.reading = Reading::strict})
{
    TableFiles files;
    files.allow_path = "hosts.allow";
    files.deny_path = "hosts.deny";
    files.allow = text_file(allow);
    files.deny = text_file("ALL: ALL\n");
    files.others["/etc/hosts.list"] = text_file("10.1.2.3 ftp.example.org\n.example.net\n[2001:db8::]/32\n2001:db8::1");
    return lint(files, settings);
}

class Traps : public testing::TestWithParam<Trap> { };

TEST_P(Traps, AreFoundAndTheMendedFormIsNot)
{
    const std::vector<Finding> wrong = lint_allow(GetParam().wrong);
    EXPECT_TRUE(has(wrong, GetParam().severity, GetParam().words)) << all_of(wrong);
    EXPECT_TRUE(std::ranges::all_of(wrong, [](const Finding& finding) { return finding.file == "hosts.allow"; }))
        << all_of(wrong);
    const std::vector<Finding> mended = lint_allow(GetParam().mended);
    EXPECT_TRUE(mended.empty()) << all_of(mended);
}

constexpr Severity kError = Severity::error;
constexpr Severity kWarning = Severity::warning;

INSTANTIATE_TEST_SUITE_P(Text, Traps,
    testing::Values(Trap{"\xef\xbb\xbf"
                         "ftpd: 10.\n",
                        "ftpd: 10.\n", kError, "byte order mark"},
        Trap{std::string("\xff\xfe"
                         "f\0t\0",
                 6)
                + "\n",
            "ftpd: 10.\n", kError, "UTF-16"},
        Trap{std::string("ftpd: 10.1.\0 x\n", 15), "ftpd: 10.1.\n", kError, "NUL"},
        Trap{"ftpd: 10.\v11.\n", "ftpd: 10. 11.\n", kError, "control character"},
        Trap{"ftpd: 10.\r\n", "ftpd: 10.\n", kWarning, "CR LF"}, Trap{"ftpd: 10.", "ftpd: 10.\n", kError, "no newline"},
        Trap{"ftpd: 10.\n# the end", "ftpd: 10.\n# the end\n", kError, "no newline"},
        Trap{"ftpd: 10.\nsshd: 11.\\\n", "ftpd: 10.\nsshd: 11.\n", kError, "nothing follows"},
        Trap{"ftpd: " + std::string(2041, ' ') + "\n", "ftpd: 10." + std::string(2037, ' ') + "\n", kError, "more than 2046"},
        Trap{"ftpd: 10., " + std::string(1200, ' ') + "\\\n" + std::string(1200, ' ') + "\n", "ftpd: 10., \\\n 11.\n", kError,
            "more than 2046"},
        Trap{"# not \\\nftpd: 10.\n", "# not\nftpd: 10.\n", kError, "the comment ends in a backslash"},
        Trap{"# one \\\n# two\nftpd: 10.\n", "# one\n# two\nftpd: 10.\n", kWarning, "the comment ends in a backslash"},
        Trap{"ftpd: 10., \\\n# 11.\n", "# 11.\nftpd: 10.\n", kError, "begins no comment"},
        Trap{"ftpd: 10., \\ \n 11.\n", "ftpd: 10., \\\n 11.\n", kError, "follow the backslash"},
        Trap{"ftpd: 10. \\\\\n 11.\n", "ftpd: 10. \\\n 11.\n", kWarning, "of two backslashes"},
        Trap{"ftpd: 10.1.2.3\\\n10.1.2.4\n", "ftpd: 10.1.2.3 \\\n10.1.2.4\n", kWarning, "joined without a blank"},
        Trap{" # ftpd: who\nftpd: 10.\n", "# ftpd: who\nftpd: 10.\n", kError, "a comment begins in the first column"},
        Trap{" # ftpd\nftpd: 10.\n", "# ftpd\nftpd: 10.\n", kError, "begin the line with #"},
        Trap{"ftpd: 10. # not ALL\n", "# not ALL\nftpd: 10.\n", kError, "ALL among them"},
        Trap{"ftpd: 10. : allow # them\n", "# them\nftpd: 10. : allow\n", kError, "takes no value"},
        Trap{"ftpd 10.\n", "ftpd: 10.\n", kError, "no colon"},
        Trap{"ftpd[: 10.\n", "ftpd: 10.\n", kError, "a bracket that is not closed"},
        Trap{"ftpd: [2001:db8::1 : allow\n", "ftpd: [2001:db8::1] : allow\n", kError, "a bracket that is not closed"},
        Trap{"ftpd: 2001:db8::1]\n", "ftpd: [2001:db8::1]\n", kError, "[2001"}));

INSTANTIATE_TEST_SUITE_P(Lists, Traps,
    testing::Values(Trap{": 10.\n", "ALL: 10.\n", kError, "the daemon list is empty"},
        Trap{"ftpd: ,\n", "ftpd: ALL\n", kError, "the client list is empty"},
        Trap{"ftpd: : deny\n", "ftpd: 10. : deny\n", kError, "the client list is empty"},
        Trap{"ftpd: EXCEPT 10.\n", "ftpd: ALL EXCEPT 10.\n", kError, "begins with EXCEPT"},
        Trap{"EXCEPT ftpd: 10.\n", "ALL EXCEPT ftpd: 10.\n", kError, "begins with EXCEPT"},
        Trap{"ftpd: ALL EXCEPT\n", "ftpd: ALL EXCEPT 10.\n", kError, "nothing follows EXCEPT"},
        Trap{"ALL except: 10.\n", "ALL except sshd: 10.\n", kError, "nothing follows EXCEPT"},
        Trap{"ftpd: ALL EXCEPT EXCEPT 10.\n", "ftpd: ALL EXCEPT 10. EXCEPT 10.1.\n", kError, "EXCEPT EXCEPT"},
        Trap{"ftpd: 10. EXCEPT ALL\n", "ftpd: 10. EXCEPT 10.1.\n", kError, "EXCEPT ALL"},
        Trap{"/usr/sbin/wu.ftpd: 10.\n", "wu.ftpd: 10.\n", kError, "write wu.ftpd"},
        Trap{"LOCAL: 10.\n", "ALL: 10.\n", kError, "means nothing on the daemon side"},
        Trap{"PARANOID: 10.\n", "ALL: 10.\n", kError, "means nothing on the daemon side"},
        Trap{"KNOWN: 10.\n", "ALL: 10.\n", kWarning, "write ALL"},
        Trap{".ftpd: 10.\n", "ftpd: 10.\n", kWarning, "every daemon whose name ends so"},
        Trap{"in.: 10.\n", "in.*: 10.\n", kWarning, "every daemon whose name begins so"},
        Trap{"ftpd: @staff@10.\n", "ftpd: @staff\n", kError, "netgroups stand behind the @ only"},
        Trap{"ftpd: .joe@10.\n", "ftpd: joe@10.\n", kWarning, "every user whose name ends so"},
        Trap{"ftpd: joe.@10.\n", "ftpd: joe@10.\n", kWarning, "every user whose name begins so"},
        Trap{"@servers: 10.\n", "ftpd: 10.\n", kError, "netgroups stand on the client side"},
        Trap{"ftpd;sshd: 10.\n", "ftpd, sshd: 10.\n", kError, "lists have commas"},
        Trap{"65536: 10.\n", "2121: 10.\n", kError, "is no port"}, Trap{"4294967317: 10.\n", "21: 10.\n", kError, "is no port"},
        Trap{"10.1.2.3: ftpd\n", "ftpd: 10.1.2.3\n", kError, "an address on the daemon side"},
        Trap{"ftpd@: 10.\n", "ftpd@10.1.2.3: 10.\n", kError, "follows the @"},
        Trap{"ftpd@10.1.2.3/24: 10.\n", "ftpd@10.1.2.0/24: 10.\n", kError, "bits outside its mask"},
        Trap{"ftpd@2001:db8::1: 10.\n", "ftpd@[2001:db8::1]: 10.\n", kError, "[2001:db8::1]"},
        Trap{"ftpd: joe@\n", "ftpd: joe@ALL\n", kError, "follows the @"},
        Trap{"ftpd: @\n", "ftpd: @friends\n", kError, "name of a netgroup"},
        Trap{"ftpd: ALL@10.\n", "ftpd: KNOWN@10.\n", kWarning, "asks every such client's ident"},
        Trap{"ftpd: LOCAL@10.\n", "ftpd: joe@10.\n", kError, "before @"},
        Trap{"ftpd: 10.1.2.3@joe\n", "ftpd: joe@10.1.2.3\n", kError, "swapped"},
        Trap{"ftpd: PARANOID\n", "ftpd: KNOWN\n", kWarning, "forged host name"},
        Trap{"ftpd: UNKNOWN\n", "ftpd: LOCAL\n", kWarning, "has no host name"},
        Trap{"ftpd: FAIL\n", "ftpd: 10. : deny\n", kError, "FAIL is no word"},
        Trap{"ftpd: any\n", "ftpd: ALL\n", kError, "write ALL"},
        Trap{"ftpd: 10. deny\n", "ftpd: 10. : deny\n", kError, "write a colon before it"},
        Trap{"ftpd: \"10.1.2.3\"\n", "ftpd: 10.1.2.3\n", kError, "quotes"},
        Trap{"ftpd: 10.1.2.3;10.1.2.4\n", "ftpd: 10.1.2.3,10.1.2.4\n", kError, "semicolon"},
        Trap{"ftpd: ALL !10.1.2.3\n", "ftpd: ALL EXCEPT 10.1.2.3\n", kError, "no sign for not"}));

INSTANTIATE_TEST_SUITE_P(Hosts, Traps,
    testing::Values(Trap{"ftpd: http://a.example/\n", "ftpd: a.example\n", kError, "a URL is no pattern"},
        Trap{"ftpd: 2001:db8::1\n", "ftpd: [2001:db8::1]\n", kError, "write [2001:db8::1]"},
        Trap{"ftpd: ::1\n", "ftpd: [::1]\n", kError, "write [::1]"},
        Trap{"ftpd: 10., 2001:db8::/32 : allow\n", "ftpd: 10., [2001:db8::]/32 : allow\n", kError, "write [2001:db8::]/32"},
        Trap{"ftpd: joe@2001:db8::1\n", "ftpd: joe@[2001:db8::1]\n", kError, "write [2001:db8::1]"},
        Trap{"ftpd: 10.*\n", "ftpd: 10.\n", kError, "also matches host names"},
        Trap{"ftpd: 10.1.2.?\n", "ftpd: 10.1.2.\n", kError, "10.1.2.evil.example"},
        Trap{"ftpd: *.a*.b*.c*.org\n", "ftpd: *.b*.org\n", kWarning, "stars"},
        Trap{"ftpd: ftp**\n", "ftpd: ftp*\n", kWarning, "two stars"},
        Trap{"ftpd: *.example.org/24\n", "ftpd: *.example.org\n", kError, "exclude each other"},
        Trap{"ftpd: client.\n", "ftpd: .client\n", kError, "every name that begins so"},
        Trap{"ftpd: .2.3\n", "ftpd: 2.3.\n", kError, "matches addresses that end so"},
        Trap{"ftpd: .example.org.\n", "ftpd: .example.org\n", kError, "dot at both ends"},
        Trap{"ftpd: 10.1.2.03\n", "ftpd: 10.1.2.3\n", kError, "compared as text"},
        Trap{"ftpd: 10.1.2\n", "ftpd: 10.1.2.\n", kError, "10.1.2.0/24"},
        Trap{"ftpd: 10.1.2.300\n", "ftpd: 10.1.2.30\n", kError, "part of no IPv4 address"},
        Trap{"ftpd: 10.1.2.3.\n", "ftpd: 10.1.2.3\n", kError, "fourth number"},
        Trap{"ftpd: 10.1.2.0\n", "ftpd: 10.1.2.\n", kWarning, "is one address"},
        Trap{"ftpd: 10.1.2.3-10.1.2.9\n", "ftpd: 10.1.2.3\n", kError, "no ranges"},
        Trap{"ftpd: " + std::string(128, 'a') + "\n", "ftpd: " + std::string(127, 'a') + "\n", kError, "cuts names"},
        Trap{"ftpd: b\xc3\xbc"
             "cher.example\n",
            "ftpd: xn--bcher-kva.example\n", kError, "xn--"},
        Trap{"ftpd: /etc/hosts.lost\n", "ftpd: /etc/hosts.list\n", kWarning, "there is no file"}));

INSTANTIATE_TEST_SUITE_P(Networks, Traps,
    testing::Values(Trap{"ftpd: 10.1.2.3/24\n", "ftpd: 10.1.2.0/24\n", kError, "write 10.1.2.0/24"},
        Trap{"ftpd: 10.1.2.3/255.255.0.0\n", "ftpd: 10.1.0.0/255.255.0.0\n", kError, "write 10.1.0.0/16"},
        Trap{"ftpd: 0.0.0.0/0\n", "ftpd: 0.0.0.0/0.0.0.0\n", kError, "0.0.0.0/0.0.0.0"},
        Trap{"ftpd: 10.0.0.0/33\n", "ftpd: 10.0.0.0/8\n", kError, "over 32"},
        Trap{"ftpd: 10.0.0.0/\n", "ftpd: 10.0.0.0/8\n", kError, "is no mask"},
        Trap{"ftpd: 10.0.0.0/abc\n", "ftpd: 10.0.0.0/8\n", kError, "is no mask"},
        Trap{"ftpd: 10.1.2.0/24abc\n", "ftpd: 10.1.2.0/24\n", kWarning, "only 24 is read"},
        Trap{"ftpd: 10.1.2.3/255.255.255.255\n", "ftpd: 10.1.2.3\n", kError, "write 10.1.2.3 alone"},
        Trap{"ftpd: 255.255.255.255/24\n", "ftpd: 10.1.2.0/24\n", kError, "is not understood"},
        Trap{"ftpd: 10.0.2.0/255.0.255.0\n", "ftpd: 10.0.0.0/255.0.0.0\n", kWarning, "has gaps"},
        Trap{"ftpd: 010.1.0.0/16\n", "ftpd: 10.1.0.0/16\n", kWarning, "read as 8.1.0.0"},
        Trap{"ftpd: 0x0a.1.0.0/16\n", "ftpd: 10.1.0.0/16\n", kWarning, "read as 10.1.0.0"},
        Trap{"ftpd: 10.1/16\n", "ftpd: 10.1.0.0/16\n", kError, "write 10.1.0.0/16"},
        Trap{"ftpd: ftp.example.org/24\n", "ftpd: .example.org\n", kError, "only addresses can have a mask"},
        Trap{"ftpd: [10.1.2.3]\n", "ftpd: 10.1.2.3\n", kError, "IPv4 addresses have no brackets"},
        Trap{"ftpd: [::ffff:10.1.2.3]\n", "ftpd: 10.1.2.3\n", kError, "write 10.1.2.3"},
        Trap{"ftpd: [::ffff:10.1.0.0]/112\n", "ftpd: 10.1.0.0/16\n", kError, "write 10.1.0.0/16"},
        Trap{"ftpd: [::ffff:0:0]/96\n", "ftpd: 0.0.0.0/0.0.0.0\n", kError, "write 0.0.0.0/0.0.0.0"},
        Trap{"ftpd: [2001:db8:]\n", "ftpd: [2001:db8::]/32\n", kError, "is no IPv6 address"},
        Trap{"ftpd: [2001:db8::]/\n", "ftpd: [2001:db8::]/32\n", kError, "every IPv6 client"},
        Trap{"ftpd: [2001:db8::]/junk\n", "ftpd: [::]/0\n", kError, "every IPv6 client"},
        Trap{"ftpd: [2001:db8::]/129\n", "ftpd: [2001:db8::]/128\n", kError, "over 128"},
        Trap{"ftpd: [2001:db8::1]/32\n", "ftpd: [2001:db8::]/32\n", kWarning, "write [2001:db8::]/32"},
        Trap{"ftpd: [fe80::1%eth0]\n", "ftpd: [fe80::1]\n", kWarning, "interface"},
        Trap{"ftpd: [2001:db8::1]x\n", "ftpd: [2001:db8::1]\n", kError, "after the bracket"}));

INSTANTIATE_TEST_SUITE_P(Options, Traps,
    testing::Values(Trap{"ftpd: ALL: ALL\n", "ftpd: ALL\n", kError, "counts as an option"},
        Trap{"ftpd: ALL:\n", "ftpd: ALL\n", kError, "a colon without an option"},
        Trap{"ftpd: 10. :: allow\n", "ftpd: 10. : allow\n", kError, "a colon without an option"},
        Trap{"ftpd: ALL : allow:\n", "ftpd: ALL : allow\n", kError, "a colon without an option"},
        Trap{"ftpd: ALL : permit\n", "ftpd: ALL : allow\n", kError, "did you mean \"allow\""},
        Trap{"ftpd: ALL : banner /etc/banners\n", "ftpd: ALL : banners /etc/banners\n", kError, "did you mean \"banners\""},
        Trap{"ftpd: ALL : kepalive\n", "ftpd: ALL : keepalive\n", kError, "did you mean \"keepalive\""},
        Trap{"ftpd: ALL : /bin/echo %a\n", "ftpd: ALL : spawn /bin/echo %a\n", kError, "write spawn"},
        Trap{"ftpd: ALL : spawn echo a:b\n", "ftpd: ALL : spawn echo a\\:b\n", kError, "write \\:"},
        Trap{"ftpd: ALL : allow : keepalive\n", "ftpd: ALL : keepalive : allow\n", kError, "must be the last option"},
        Trap{"ftpd: ALL : twist echo no : linger 1\n", "ftpd: ALL : linger 1 : twist echo no\n", kError,
            "must be the last option"},
        Trap{"ftpd: ALL : keepalive yes\n", "ftpd: ALL : keepalive\n", kError, "takes no value"},
        Trap{"ftpd: ALL : spawn\n", "ftpd: ALL : spawn true\n", kError, "needs a value"},
        Trap{"ftpd: ALL : linger -1\n", "ftpd: ALL : linger 0\n", kError, "0 or more"},
        Trap{"ftpd: ALL : umask 888\n", "ftpd: ALL : umask = 022\n", kError, "octal"},
        Trap{"ftpd: ALL : umask 1777\n", "ftpd: ALL : umask 777\n", kError, "octal"},
        Trap{"ftpd: ALL : nice low\n", "ftpd: ALL : nice\n", kError, "write a number"},
        Trap{"ftpd: ALL : rfc931 0 : spawn echo %u\n", "ftpd: ALL : rfc931 5 : spawn echo %u\n", kError, "1 or more"},
        Trap{"ftpd: ALL : rfc931\n", "ftpd: ALL : rfc931 : setenv USERNAME %u\n", kWarning, "ident server"},
        Trap{"ftpd: ALL : severity authpriv.info\n", "ftpd: ALL : severity auth.info\n", kError, "write auth"},
        Trap{"ftpd: ALL : severity ftp.info\n", "ftpd: ALL : severity LOCAL7.info\n", kError, "write daemon"},
        Trap{"ftpd: ALL : severity warn\n", "ftpd: ALL : severity warning\n", kError, "write warning"},
        Trap{"ftpd: ALL : severity error\n", "ftpd: ALL : severity err\n", kError, "write err"},
        Trap{"ftpd: ALL : severity none\n", "ftpd: ALL : severity debug\n", kError, "write debug"},
        Trap{"ftpd: ALL : severity panic\n", "ftpd: ALL : severity emerg\n", kError, "write emerg"},
        Trap{"ftpd: ALL : setenv A = b\n", "ftpd: ALL : setenv A b\n", kError, "leave the = out"},
        Trap{"ftpd: ALL : setenv VSFTPD_LOAD_CONF /etc/slow.conf\n", "ftpd: ALL : setenv OTHER_CONF /etc/slow.conf\n", kWarning,
            "VSFTPD_LOAD_CONF reaches"},
        Trap{"ftpd: ALL : user nobody\n", "ftpd: ALL\n", kWarning, "tcpd ignores user"},
        Trap{"ftpd: ALL : group 100\n", "ftpd: ALL\n", kError, "numbers are not taken"},
        Trap{"ftpd: ALL : banners etc/banners\n", "ftpd: ALL : banners /etc/banners\n", kError, "the whole path"},
        Trap{"ftpd: ALL : banners /etc/%d\n", "ftpd: ALL : banners /etc/d\n", kError, "is not expanded"},
        Trap{"ftpd: ALL : spawn echo %x\n", "ftpd: ALL : spawn echo %%x\n", kError, "means nothing"},
        Trap{"ftpd: ALL : spawn echo 5%\n", "ftpd: ALL : spawn echo 5%%\n", kWarning, "single %"},
        Trap{"ftpd: ALL : aclexec true : allow\n", "ftpd: ALL : spawn true : allow\n", kError, "also when the command fails"},
        Trap{"ftpd: ALL : aclexec true\n", "ftpd: ALL : spawn true\n", kWarning, "takes back later rules"}));

INSTANTIATE_TEST_SUITE_P(Order, Traps,
    testing::Values(Trap{"ftpd: 10.\nftpd: 10.1.2.3 : deny\n", "ftpd: 10.1.2.3 : deny\nftpd: 10.\n", kError,
                        "line 1 matches all these clients first"},
        Trap{"ftpd: 10.0.0.0/8\nftpd: 10.1.\n", "ftpd: 10.1.\nftpd: 10.0.0.0/8\n", kWarning, "not needed: line 1"},
        Trap{"ftpd: [2001:db8::]/32\nftpd: [2001:db8::1] : deny\n", "ftpd: [2001:db8::]/32\nftpd: [2001:db9::1] : deny\n",
            kError, "never reached"},
        Trap{"ALL: .example.org\nftpd: a.example.org : spawn true\n", "ALL: .example.org\nftpd: example.org : spawn true\n",
            kError, "never reached"},
        Trap{"ftpd, sshd: 10.\nsshd, ftpd: 10.1., 10.2.\n", "ftpd, sshd: 10.\nsshd, ftpd: 10.1., 11.2.\n", kWarning,
            "not needed"},
        Trap{"ftpd: 10.\nsshd: 10.\nsshd, ftpd: 10.1.\n", "ftpd: 10.\nsshd: 10.\nsshd, ftpd, telnetd: 10.1.\n", kWarning,
            "not needed"},
        Trap{"*ftpd: 10.\nvsftpd: 10.1.\n", "*ftpd: 10.\nsshd: 10.1.\n", kWarning, "not needed"},
        Trap{"ftpd: ALL\nftpd@10.1.2.3: joe@11.\n", "ftpd@10.1.2.3: ALL\nftpd: joe@11.\n", kWarning, "not needed"},
        Trap{"ftpd: joe@10.\nftpd: joe@10.\n", "ftpd: joe@10.\nftpd: ann@10.\n", kWarning, "the same rule stands in line 1"},
        Trap{"ftpd: ALL EXCEPT 10.\nftpd: ALL except 10. : deny\n", "ftpd: ALL EXCEPT 10.\nftpd: 10. : deny\n", kError,
            "never reached"}));

} // namespace

TEST(Lint, KnowsTheRulesOfTheDenyTable)
{
    TableFiles files;
    files.allow_path = "a";
    files.deny_path = "d";
    files.allow = text_file("ftpd: 10.\n");
    files.deny = text_file("# one\nftpd: 10.1.2.3\nALL: ALL");
    const std::vector<Finding> findings = lint(files, {});
    ASSERT_EQ(findings.size(), 2u) << all_of(findings);
    EXPECT_EQ(findings[0].to_string(),
        "d:2: error: never reached: a:1 matches all these clients first and does something else with them; "
        "move this rule before it, or take it out");
    EXPECT_EQ(findings[1].line, 3u);
    EXPECT_NE(findings[1].text.find("denies everybody"), std::string::npos) << all_of(findings);
}

TEST(Lint, SaysOnceThatOneRuleHidesMany)
{
    TableFiles files;
    files.allow = text_file("ALL: ALL\n");
    for (int i = 1; i < 100; ++i)
        files.deny.text += "ftpd: 10.1.2." + std::to_string(i) + "\n";
    files.deny.state = FileText::State::text;
    const std::vector<Finding> findings = lint(files, {});
    ASSERT_EQ(findings.size(), 1u) << all_of(findings);
    EXPECT_EQ(findings[0].file, files.allow_path);
    EXPECT_EQ(findings[0].severity, kError);
    EXPECT_EQ(findings[0].text.substr(0, 9), "99 rules ");
}

TEST(Lint, CutsTheListOfAFileShortAndKeepsItsSeverity)
{
    std::string text;
    for (int i = 0; i < 2000; ++i)
        text += "ftpd: 10.1." + std::to_string(i) + "\n";
    const std::vector<Finding> findings = lint_allow(text);
    ASSERT_EQ(findings.size(), 501u);
    EXPECT_EQ(findings.back().text, "1500 more problems are not shown");
    EXPECT_EQ(findings.back().severity, kError);
}

TEST(Lint, AnAclexecRuleHidesNothing)
{
    EXPECT_FALSE(has(lint_allow("ftpd: 10. : aclexec true\nftpd: 10.1. : deny\n"), kError, "never reached"));
}

TEST(Lint, LooksAtTheStateOfTheTables)
{
    TableFiles files;
    EXPECT_TRUE(lint(files, {}).empty()); // no tables, no rules
    files.deny.state = FileText::State::directory;
    EXPECT_TRUE(has(lint(files, {}), kError, "lets everybody in"));
    files.deny = {.state = FileText::State::unreadable, .text = {}, .os_error = 13};
    EXPECT_TRUE(has(lint(files, {}), kError, "Permission denied"));
    files.deny = {};
    files.allow = text_file("ftpd: 10.\n");
    EXPECT_TRUE(has(lint(files, {}), kWarning, "no rule denies anybody"));
    files.allow = text_file("ftpd: 10.\nALL: ALL : deny\n");
    EXPECT_TRUE(lint(files, {}).empty()) << all_of(lint(files, {}));
    files.deny_path = files.allow_path;
    EXPECT_TRUE(has(lint(files, {}), kError, "both the allow and the deny table"));
}

TEST(Lint, SaysWhoElseMayWriteAFile)
{
    TableFiles files;
    files.allow = text_file("ftpd: /list\n");
    files.deny = text_file("ALL: ALL\n");
    files.others["/list"] = text_file("10.\n");
    EXPECT_TRUE(lint(files, {}).empty()) << all_of(lint(files, {}));
    const std::vector<Finding> findings = lint(files, {.exposed = {"/list", files.deny_path}});
    ASSERT_EQ(findings.size(), 2u) << all_of(findings);
    EXPECT_EQ(findings[0].file, files.deny_path);
    EXPECT_EQ(findings[1].file, "/list");
}

TEST(Lint, ReadsPatternFiles)
{
    TableFiles files;
    files.allow_path = "a";
    files.allow = text_file("ftpd: /list\nsshd: /list\n");
    files.deny = text_file("ALL: ALL\n");
    files.others["/list"]
        = text_file("# office\n10.1.2.3/24\n10. EXCEPT 10.1.\n10.1.2.3, 10.1.2.4\njoe@10.\n2001:DB8::1\n/more\n");
    files.others["/more"] = text_file("/list");
    const std::vector<Finding> findings = lint(files, {});
    const char* expected[] = {"a:1: error: \"/list\" names itself", "a:2: error: \"/list\" names itself",
        "/list:1: error: there are no comments", "/list:2: error: \"10.1.2.3/24\"", "/list:3: error: EXCEPT does not work",
        "/list:4: error: a comma", "/list:5: error: users cannot", "/list:6: error: an IPv6 address without brackets",
        "/list:7: error: \"/more\" names itself", "/more:1: error: \"/list\" names itself"};
    ASSERT_EQ(findings.size(), std::size(expected)) << all_of(findings);
    for (std::size_t i = 0; i < findings.size(); ++i)
        EXPECT_TRUE(findings[i].to_string().starts_with(expected[i])) << findings[i].to_string();
}

TEST(Lint, RefusesPatternFilesThatCannotBeRead)
{
    TableFiles files;
    files.allow = text_file("ftpd: /directory, /secret, /long\n");
    files.deny = text_file("ALL: ALL\n");
    files.others["/directory"].state = FileText::State::directory;
    files.others["/secret"] = {.state = FileText::State::unreadable, .text = {}, .os_error = 13};
    files.others["/long"] = text_file(std::string(8192, 'a') + " " + std::string(100, 'b'));
    const std::vector<Finding> findings = lint(files, {});
    EXPECT_TRUE(has(findings, kError, "is a directory"));
    EXPECT_TRUE(has(findings, kError, "Permission denied"));
    EXPECT_TRUE(has(findings, kError, "a word of 8192 bytes"));
    EXPECT_EQ(findings.size(), 3u) << all_of(findings);
}

TEST(Lint, SaysOneThingOfOneMistake)
{
    EXPECT_EQ(lint_allow("ftpd: [2001:db8::1, 10. : deny\n").size(), 1u);
    TableFiles files;
    files.allow = text_file("ftpd: 10.\n");
    files.deny = text_file("ALL: ALL \\");
    const std::vector<Finding> findings = lint(files, {});
    EXPECT_TRUE(findings.size() == 1 && findings[0].text.find("no newline") != std::string::npos) << all_of(findings);
}

TEST(Lint, KnowsTheServicesOfThisMachine)
{
    const LintSettings settings{.daemons = {"in.ftpd", "safetpd"}};
    EXPECT_TRUE(has(lint_allow("ftpd: 10.\n", settings), kWarning, "did you mean \"in.ftpd\""));
    EXPECT_TRUE(has(lint_allow("wu.ftpd: 10.\n", settings), kWarning, "no service here asks"));
    EXPECT_TRUE(lint_allow("in.ftpd, SAFETPD, in.*, 2121, ALL EXCEPT in.ftpd: 10.\n", settings).empty());
    EXPECT_TRUE(lint_allow("wu.ftpd: 10.\n").empty());
}

TEST(Lint, KnowsWhichServicesHaveNoWrapper)
{
    const LintSettings settings{.daemons = {"in.ftpd", "in.telnetd"}, .unwrapped = {"in.telnetd"}};
    EXPECT_TRUE(has(lint_allow("in.telnetd: 10.\n", settings), kWarning, "starts \"in.telnetd\" without tcpd"));
    EXPECT_TRUE(lint_allow("in.ftpd: 10.\n", settings).empty());
}

TEST(Lint, LooksForWhatRulesNameOnThisMachine)
{
    LintSettings settings;
    settings.has_netgroup = [](const std::string& name) { return name == "staff"; };
    settings.has_user = [](const std::string& name) { return name == "joe"; };
    settings.has_group = [](const std::string& name) { return name == "users"; };
    settings.has_directory = [](const std::string& path) { return path == "/etc/banners"; };
    EXPECT_TRUE(has(lint_allow("ftpd: @others\n", settings), kWarning, "there is no netgroup \"others\""));
    EXPECT_TRUE(has(lint_allow("ftpd: 10. : banners /etc/none\n", settings), kWarning, "no directory \"/etc/none\""));
    EXPECT_TRUE(lint_allow("ftpd: @staff : banners /etc/banners\n", settings).empty());
    for (const char* option : {"user ann", "group joe", "user joe.joe", "user ann.users"})
        EXPECT_TRUE(has(lint_allow(std::string("ftpd: 10. : ") + option + "\n", settings), kError, "nobody is called so"))
            << option;
    for (const char* option : {"user joe", "group users", "user joe.users"})
        EXPECT_FALSE(has(lint_allow(std::string("ftpd: 10. : ") + option + "\n", settings), kError, "")) << option;
}

TEST(Lint, AsksForHostNamesOnlyWhereItIsGivenSomebodyToAsk)
{
    LintSettings settings;
    settings.find_host = [](const std::string& name) -> std::optional<HostAnswer> {
        if (name == "good.example")
            return HostAnswer{true, "GOOD.example"};
        if (name == "alias.example")
            return HostAnswer{true, "good.example"};
        if (name == "moved.example")
            return HostAnswer{true, "moved.example", {"10.1.2.3 (old.example)", "10.1.2.4 (unknown)"}};
        if (name == "later.example")
            return std::nullopt;
        return HostAnswer{};
    };
    EXPECT_TRUE(lint_allow("ftpd: good.example, short, .example, 10.1.2.3, KNOWN\n", settings).empty());
    EXPECT_TRUE(has(lint_allow("ftpd: alias.example\n", settings), kError, "write good.example"));
    EXPECT_TRUE(has(lint_allow("ftpd: gone.example\n", settings), kWarning, "knows no host"));
    EXPECT_TRUE(has(lint_allow("ftpd: later.example\n", settings), kWarning, "cannot be asked"));
    EXPECT_TRUE(has(lint_allow("ftpd: moved.example\n", settings), kWarning,
        "does not match clients from 10.1.2.3 (old.example), 10.1.2.4 (unknown)"));
}

TEST(Lint, KnowsWhatAServerThatStaysCannotDo)
{
    LintSettings settings{.residents = {"safetpd"}};
    EXPECT_TRUE(has(lint_allow("safetpd: 10. : twist echo no\n", settings), kError, "safetpd denies"));
    EXPECT_TRUE(has(lint_allow("ALL: 10. : aclexec test 1\n", settings), kError, "safetpd denies"));
    EXPECT_TRUE(has(lint_allow("*: 10. : spawn true\n", settings), kWarning, "does not run spawn"));
    EXPECT_TRUE(has(lint_allow("safetpd: 10. : setenv A b\n", settings), kWarning, "setenv has no effect"));
    EXPECT_TRUE(has(lint_allow("safetpd: 10. : umask 027\n", settings), kWarning, "umask has no effect"));
    EXPECT_TRUE(has(lint_allow("safetpd: 10. : user ftp\n", settings), kError, "\"user\" in [server]"));
    EXPECT_TRUE(
        has(lint_allow("safetpd: 10. : setenv VSFTPD_LOAD_CONF /etc/slow\n", settings), kWarning, "have safetpd start vsftpd"));
    EXPECT_TRUE(lint_allow("safetpd: 10. : setenv VSFTPD_LOAD_CONF /s : nice : umask 27\n",
        {.residents = {"safetpd"}, .residents_start_server = true})
                    .empty());
    EXPECT_TRUE(lint_allow("in.ftpd: 10. : setenv A b : twist echo no\n", settings).empty());
    settings.residents_run_commands = true;
    EXPECT_TRUE(lint_allow("safetpd: 10. : twist echo no\n", settings).empty());
    settings.reading = Reading::strict;
    EXPECT_TRUE(has(lint_allow("safetpd: 10. : twist echo no\n", settings), kError, "cannot twist"));
}

TEST(Lint, WantsExplicitAllowOnlyWhenTold)
{
    EXPECT_TRUE(has(lint_allow("ftpd: 10.\n", {.wants_explicit_allow = true}), kWarning, "grants without saying so"));
    EXPECT_TRUE(lint_allow("ftpd: 10. : allow\nsshd: 10. : deny\n", {.wants_explicit_allow = true}).empty());
}

TEST(Lint, KnowsWhereTheSafeReadingDiffers)
{
    for (const char* table : {"ftpd: 10.*\n", "ftpd: 10. : aclexec true : allow\n", "ftpd: 10. # office\n"}) {
        EXPECT_TRUE(has(lint_allow(table), kError, "")) << table;
        const std::vector<Finding> safe = lint_allow(table, {.reading = Reading::safe});
        EXPECT_TRUE(safe.size() == 1 && safe[0].severity == kWarning) << table << all_of(safe);
    }
    for (const char* table : {"ftpd: 10.1.2.0/24abc\n", "ftpd: 010.1.0.0/16\n", "ftpd: [2001:db8::]/32x\n"}) {
        EXPECT_TRUE(has(lint_allow(table), kWarning, "")) << table;
        EXPECT_TRUE(has(lint_allow(table, {.reading = Reading::safe}), kError, "does not guess")) << table;
    }
}

TEST(Lint, ShowsNothingThatCouldSteerATerminal)
{
    const std::vector<Finding> findings = lint_allow("ftpd: a\x1b[2Jb;\nft\x1bpd\n");
    EXPECT_FALSE(findings.empty());
    EXPECT_EQ(all_of(findings).find('\x1b'), std::string::npos);
}

TEST(Lint, IsContentWithWhatTheManualPagesRecommend)
{
    EXPECT_TRUE(lint_allow(
        "# comment\n\nALL: LOCAL @some_netgroup\nALL: .foobar.edu EXCEPT terminalserver.foobar.edu\n"
        "in.tftpd: LOCAL, .my.domain : spawn (/usr/sbin/safe_finger -l @%h | /usr/bin/mail -s %d-%h root) & \n"
        "in.ftpd@192.0.2.1, 2121: 131.155.72.0/255.255.254.0, 131.155.72.0/23, [3ffe:505:2:1::]/64\n"
        "wu.ftpd : 1.2.3.4, 127.0.0.1\nsshd: joe@KNOWN, host??.example.org : severity local3.info : banners /b : allow\n")
                    .empty());
}

} // namespace safetp::access
