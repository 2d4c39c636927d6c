#include "setup/rewrite.h"

#include "config/load.h"

#include <gtest/gtest.h>

namespace safetp::setup {
namespace {

constexpr const char* kTcpd = "/usr/sbin/tcpd";

std::string raw_line(const std::string& line) { return to_text(as_raw(parse_inetd_conf(line + "\n").at(0), kTcpd)); }

TEST(Rewrite, MovesInetdsLineAsTheOldManualDoes)
{
    EXPECT_EQ(raw_line("ftp stream tcp nowait root /usr/sbin/wu.ftpd wu.ftpd -l -i -a -t0"),
        "raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\twu.ftpd -l -i -a -t0");
    EXPECT_EQ(raw_line("ftp stream tcp nowait root /usr/sbin/tcpd wu.ftpd -l"),
        "raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\twu.ftpd -l");
    EXPECT_EQ(raw_line("192.0.2.1:21 stream tcp nowait root /usr/sbin/ftpd"),
        "192.0.2.1:raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\tftpd");
}

TEST(Rewrite, NamesAProgramThatTcpdWouldNotFindByItsPath)
{
    EXPECT_EQ(raw_line("ftp stream tcp nowait root /opt/ftpd ftpd -l"),
        "raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/opt/ftpd -l");
    EXPECT_EQ(raw_line("ftp stream tcp nowait root /usr/sbin/ftpd in.ftpd -l"),
        "raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/ftpd -l");
}

TEST(Rewrite, LeavesALineThatIsRight)
{
    const std::string right = "raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/safetp-tcpd\twu.ftpd -l";
    EXPECT_EQ(raw_line(right), right);
    EXPECT_EQ(
        raw_line("351 stream tcp nowait root /usr/sbin/tcpd ftpd"), "351\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\tftpd");
}

TEST(Rewrite, KnowsWhichNamesARuleCanHave)
{
    for (const char* name : {"vsftpd", "wu.ftpd", "in.ftpd", "pure-ftpd-wrapper", "a1"})
        EXPECT_TRUE(is_daemon_name(name)) << name;
    for (const char* name :
        {"", "21", "a b", "a,b", "a:b", "a@b", ".ftpd", "ftpd.", "f*", "all", "EXCEPT", "[x]", "../sh", "a#b"})
        EXPECT_FALSE(is_daemon_name(name)) << name;
}

TEST(Rewrite, ListsAddressesInRulesThatLibwrapReads)
{
    const auto address = [](const char* text) { return *IpAddress::parse(text); };
    EXPECT_EQ(allow_rules("wu.ftpd", {address("127.0.0.1"), address("::1"), address("192.0.2.1")}),
        (std::vector<std::string>{"wu.ftpd : 127.0.0.1 [::1] 192.0.2.1"}));
    EXPECT_EQ(allow_rules("d", {IpAddress::from_ipv6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2)}),
        (std::vector<std::string>{"d : [fe80::1]"}));
    const auto many = allow_rules("vsftpd", std::vector<IpAddress>(500, address("203.0.113.200")));
    EXPECT_GT(many.size(), 3u);
    for (const std::string& rule : many) {
        EXPECT_LT(rule.size(), 2000u);
        EXPECT_TRUE(rule.starts_with("vsftpd : 203"));
    }
}

TEST(Rewrite, PutsTheTablesLinesOnTopAndReplacesThemLater)
{
    const std::string once = with_table_lines("ALL : ALL", {"d : 127.0.0.1"});
    EXPECT_TRUE(once.ends_with("\nALL : ALL")) << "the rest stays to the byte, also without its line end";
    EXPECT_LT(once.find("d : 127.0.0.1\n"), once.find("ALL : ALL"));
    EXPECT_EQ(with_table_lines(once, {"d : 127.0.0.1"}), once);
    const std::string other = with_table_lines(once, {"d : 192.0.2.1"});
    EXPECT_EQ(other.find("127.0.0.1"), std::string::npos);
    EXPECT_TRUE(other.ends_with("\nALL : ALL"));
    EXPECT_EQ(with_table_lines(once, {}), "ALL : ALL");
    EXPECT_EQ(with_table_lines("", {"x : y"}), with_table_lines(with_table_lines("", {"x : y"}), {"x : y"}));
}

TEST(Rewrite, DropsNothingWhereTheEndOfItsBlockIsMissing)
{
    const std::string broken = "# safetpd setup: begin\nd : 127.0.0.1\nsshd : 10.\n";
    const std::string once = with_table_lines(broken, {"d : 192.0.2.1"});
    EXPECT_TRUE(once.ends_with(broken));
    EXPECT_EQ(with_table_lines(once, {"d : 192.0.2.1"}), once);
    EXPECT_EQ(with_table_lines(once, {}), broken);
    EXPECT_EQ(with_table_lines(broken + once, {}), broken + broken) << "nothing between a lost end and the next beginning";
}

TEST(Rewrite, ChangesTheFtpdsSettings)
{
    EXPECT_EQ(with_vsftpd_setting("#listen=YES\nlisten=YES\nx=1", "listen", "NO"), "#listen=YES\nlisten=NO\nx=1");
    EXPECT_EQ(with_vsftpd_setting("x=1", "listen", "NO"), "x=1\nlisten=NO\n");
    EXPECT_EQ(with_vsftpd_setting("listen_ipv6=YES\n", "listen", "NO"), "listen_ipv6=YES\nlisten=NO\n");
    EXPECT_EQ(with_proftpd_setting("ServerName x\n  servertype\tstandalone\n# ServerType standalone\n", "ServerType", "inetd"),
        "ServerName x\nServerType inetd\n# ServerType standalone\n");
    EXPECT_EQ(with_shell_setting("A=1\nSTANDALONE_OR_INETD=standalone\n", "STANDALONE_OR_INETD", "inetd"),
        "A=1\nSTANDALONE_OR_INETD=inetd\n");
}

TEST(Rewrite, SwitchesOneXinetdBlockOff)
{
    const std::string text
        = "service time\n{\n\tdisable = no\n}\nservice ftp\n{\n\tdisable = no\n\tserver = /x\n}\nservice b\n{\n}\n";
    EXPECT_EQ(with_xinetd_disabled(text, 5, "service ftp"),
        "service time\n{\n\tdisable = no\n}\nservice ftp\n{\n\tdisable\t\t= yes\n\tserver = /x\n}\nservice b\n{\n}\n");
    EXPECT_EQ(with_xinetd_disabled(text, 1, "service nothing"), text);
}

const ServerKeys kStarted{
    {"address", std::nullopt}, {"port", std::nullopt}, {"command", "[\"/usr/sbin/vsftpd\"]"}, {"user", "\"root\""}};

TEST(Rewrite, EditsTheServerSection)
{
    EXPECT_EQ(*with_server_keys("", kStarted, "f"), "[server]\ncommand = [\"/usr/sbin/vsftpd\"]\nuser = \"root\"\n");
    const std::string text = "[[listener]]\nport = 2121\n\n[server]\naddress = \"127.0.0.1\"\n[log]\nlevel = \"debug\"\n";
    const auto edited = with_server_keys(text, kStarted, "f");
    ASSERT_TRUE(edited) << describe(edited.error());
    const auto loaded = config::parse(*edited, "f");
    EXPECT_TRUE(loaded.is_usable());
    EXPECT_EQ(loaded.config.server.command, (std::vector<std::string>{"/usr/sbin/vsftpd"}));
    EXPECT_FALSE(loaded.config.server.address);
    EXPECT_EQ(loaded.config.listeners.at(0).port, 2121);
    EXPECT_EQ(loaded.config.log.options.threshold, log::Level::debug);
    EXPECT_NE(edited->find("#address = \"127.0.0.1\""), std::string::npos) << "what was there can be read";
    EXPECT_EQ(*with_server_keys(*edited, kStarted, "f"), *edited);
}

TEST(Rewrite, TakesOutAValueOfSeveralLines)
{
    const ServerKeys none{{"command", std::nullopt}, {"user", std::nullopt}};
    const auto edited = with_server_keys("[server]\ncommand = [ # the ftpd\n  \"/usr/sbin/x\", \"a]b\",\n]\nuser = \"root\"\n"
                                         "data_mode = \"pasv\"\n",
        none, "f");
    ASSERT_TRUE(edited) << describe(edited.error());
    const auto loaded = config::parse(*edited, "f");
    EXPECT_TRUE(loaded.is_usable());
    EXPECT_TRUE(loaded.config.server.command.empty());
    EXPECT_EQ(loaded.config.server.data_mode, config::ServerDataMode::pasv);
}

TEST(Rewrite, RefusesAConfigurationThatItCannotEdit)
{
    EXPECT_FALSE(with_server_keys("greeting = \"\"\"x\n[server]\n\"\"\"\n", kStarted, "f"));
    EXPECT_FALSE(with_server_keys("server = { port = 351 }\n", kStarted, "f")) << "the section would be there twice";
    EXPECT_FALSE(with_server_keys("[server\n", kStarted, "f"));
}

} // namespace
} // namespace safetp::setup
