#include "access/decide.h"

#include <gtest/gtest.h>

namespace safetp::access {

namespace {

struct ListCase {
    std::string name;
    std::string rule;
    bool granted;
    std::vector<std::string> lookups;
};

class Lists : public testing::TestWithParam<ListCase> { };

TEST_P(Lists, GrantOrNot)
{
    Question question;
    question.allow = GetParam().rule + "\n";
    question.deny = "ALL: ALL\n";
    question.netgroups = {{"lab", "ws3.lab.example"}};
    question.files = {{"/some/hosts", file("192.0.2.1 #\n10.1.2.3")}, {"/nested", file("/some/hosts")}};
    const Answer answer = decide(question);
    EXPECT_EQ(answer.verdict.granted(), GetParam().granted);
    EXPECT_EQ(answer.matched, GetParam().granted ? "allow:1" : "deny:1");
    EXPECT_EQ(answer.lookups, GetParam().lookups);
}

INSTANTIATE_TEST_SUITE_P(Words, Lists,
    testing::Values(ListCase{"address", "ftpd: 10.1.2.4, 10.1.2.3", true, {}},
        ListCase{"other_address", "ftpd: 10.1.2.4", false, {}}, ListCase{"other_daemon", "telnetd: ALL", false, {}},
        ListCase{"any_case", "FTPD: All", true, {}}, ListCase{"suffix", "ftpd: .lab.example", true, {"client_name"}},
        ListCase{"prefix", "ftpd: 10.1.", true, {}}, ListCase{"not_a_prefix", "ftpd: 10.1", false, {}},
        ListCase{"user", "ftpd: ann@10.1.", true, {"client_user"}}, ListCase{"host_before_user", "ftpd: ann@10.2.", false, {}},
        ListCase{"user_of_nobody", "ftpd: @", false, {"client_name"}}, ListCase{"net", "ftpd: 10.1.0.0/16", true, {}},
        ListCase{"net_with_host_bits", "ftpd: 10.1.2.3/16", false, {}}, ListCase{"port", "21: ALL", true, {}},
        ListCase{"other_port", "22: ALL", false, {}}, ListCase{"daemon_at", "ftpd@10.9.: ALL", true, {}},
        ListCase{"daemon_at_name", "ftpd@gate.example: ALL", true, {"server_name"}},
        ListCase{"daemon_at_elsewhere", "telnetd@gate.example: ALL", false, {}},
        ListCase{"netgroup", "ftpd: @lab", true, {"client_name"}},
        ListCase{"other_netgroup", "ftpd: @barn", false, {"client_name"}},
        ListCase{"file", "ftpd: /some/hosts", true, {"client_name"}},
        ListCase{"nested_file", "ftpd: /nested", true, {"client_name"}}, ListCase{"missing_file", "ftpd: /none", false, {}},
        ListCase{"local", "ftpd: LOCAL", false, {"client_name"}}, ListCase{"known", "ftpd: KNOWN", true, {"client_name"}},
        ListCase{"unknown", "ftpd: UNKNOWN", false, {"client_name"}},
        ListCase{"except", "ftpd: ALL EXCEPT 10.1.2.3", false, {}},
        ListCase{"except_except", "ftpd: ALL EXCEPT 10. EXCEPT 10.1.2.3", true, {}},
        ListCase{"except_first", "ftpd: EXCEPT 10.9. ALL", false, {}}, ListCase{"except_nothing", "ftpd: ALL EXCEPT", true, {}},
        ListCase{"except_twice", "ftpd: ALL EXCEPT EXCEPT 10.1.2.3", true, {}},
        ListCase{"except_daemon", "ALL EXCEPT ftpd: ALL", false, {}}, ListCase{"empty_list", "ftpd:", false, {}}),
    [](const auto& each) { return each.param.name; });

} // namespace
} // namespace safetp::access
