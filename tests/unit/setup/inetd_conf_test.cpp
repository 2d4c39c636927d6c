#include "setup/inetd_conf.h"

#include <gtest/gtest.h>

namespace safetp::setup {
namespace {

constexpr const char* kText = "# /etc/inetd.conf:  see inetd(8)\n"
                              "#:STANDARD: These are standard services.\n"
                              "ftp\t\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/in.ftpd -l -a\n"
                              "#<off># telnet stream tcp nowait root /usr/sbin/tcpd in.telnetd\n"
                              "#<off># this is prose and no service at all\n"
                              "time dgram udp wait root internal\n"
                              "192.0.2.1:ftp stream tcp nowait.40 ftp:ftp /usr/sbin/vsftpd vsftpd\n"
                              "[::1]:raw-ftp stream tcp6,sndbuf=16k nowait root /usr/sbin/vsftpd\n"
                              "localhost:\n"
                              "351 stream tcp nowait root /usr/sbin/ftpd ftpd\n"
                              "    -l\n"
                              "\t-A\n"
                              "*:\n"
                              "21 stream tcp nowait root /usr/sbin/ftpd";

TEST(InetdConf, ReadsWhatTwoInetdsRead)
{
    const auto lines = parse_inetd_conf(kText);
    ASSERT_EQ(lines.size(), 7u);
    EXPECT_EQ(lines[0].service, "ftp");
    EXPECT_EQ(lines[0].number, 3u);
    EXPECT_EQ(lines[0].program, "/usr/sbin/tcpd");
    EXPECT_EQ(lines[0].arguments, (std::vector<std::string>{"/usr/sbin/in.ftpd", "-l", "-a"}));
    EXPECT_TRUE(lines[0].is_enabled);
    EXPECT_TRUE(lines[0].is_tcp());
    EXPECT_FALSE(lines[1].is_enabled);
    EXPECT_EQ(lines[1].service, "telnet");
    EXPECT_FALSE(lines[2].is_tcp());
    EXPECT_EQ(lines[3].address, "192.0.2.1");
    EXPECT_EQ(lines[3].service, "ftp");
    EXPECT_EQ(lines[3].user, "ftp:ftp");
    EXPECT_EQ(lines[4].address, "[::1]");
    EXPECT_EQ(lines[4].protocol, "tcp6");
    EXPECT_TRUE(lines[4].arguments.empty());
    EXPECT_EQ(lines[5].address, "localhost");
    EXPECT_FALSE(lines[5].has_own_address);
    EXPECT_EQ(lines[5].arguments, (std::vector<std::string>{"ftpd", "-l", "-A"}));
    EXPECT_EQ(lines[6].address, "*");
    EXPECT_EQ(lines[6].number, 14u);
}

TEST(InetdConf, TakesNeitherCommentsNorUnfinishedLines)
{
    EXPECT_TRUE(parse_inetd_conf("").empty());
    EXPECT_TRUE(parse_inetd_conf("# ftp stream tcp nowait root /usr/sbin/ftpd ftpd\n").empty());
    EXPECT_TRUE(parse_inetd_conf("#ftp stream tcp nowait root /usr/sbin/ftpd ftpd\n").empty());
    EXPECT_TRUE(parse_inetd_conf("ftp stream tcp nowait root\n").empty());
    EXPECT_TRUE(parse_inetd_conf("  ftp stream tcp nowait root /usr/sbin/ftpd ftpd\n").empty());
    EXPECT_TRUE(parse_inetd_conf("ftp brook tcp nowait root /usr/sbin/ftpd ftpd\n").empty());
}

TEST(InetdConf, KnowsWhereALineStands)
{
    const std::string text = "# a\nftp stream tcp nowait root /x y\n  z\ntime stream tcp nowait root internal\n";
    const auto lines = parse_inetd_conf(text);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(text.substr(lines[0].begin, lines[0].end - lines[0].begin), "ftp stream tcp nowait root /x y\n  z");
    EXPECT_EQ(lines[1].number, 4u);
}

TEST(InetdConf, SwitchesOffAsUpdateInetdDoes)
{
    const auto lines = parse_inetd_conf("ftp stream tcp nowait root /x y\n  z\n");
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(switched_off(lines[0]), "#<off># ftp stream tcp nowait root /x y\n#<off>#   z");
    EXPECT_EQ(parse_inetd_conf(switched_off(lines[0]) + "\n").size(), 1u);
    EXPECT_FALSE(parse_inetd_conf(switched_off(lines[0]))[0].is_enabled);
}

TEST(InetdConf, WritesALineThatItReads)
{
    auto line = parse_inetd_conf("192.0.2.1:ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd\n").at(0);
    line.service = "raw-ftp";
    const auto again = parse_inetd_conf(to_text(line));
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].service, "raw-ftp");
    EXPECT_EQ(again[0].address, "192.0.2.1");
    EXPECT_EQ(again[0].arguments, line.arguments);
}

} // namespace
} // namespace safetp::setup
