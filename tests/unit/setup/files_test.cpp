// The readers of the other configuration files, each on text.
#include "setup/services_file.h"
#include "setup/sockets_file.h"
#include "setup/systemd_units.h"
#include "setup/xinetd_conf.h"

#include <gtest/gtest.h>

namespace safetp::setup {
namespace {

constexpr const char* kServices = "# comment 351/tcp\n"
                                  "ftp-data\t20/tcp\n"
                                  "ftp\t\t21/tcp\n"
                                  "fsp\t\t21/udp\t\tfspd\n"
                                  "imap3\t\t220/tcp\t\t# Interactive\n"
                                  "https\t\t443/tcp\n"
                                  "# Local services\n"
                                  "mine 22/tcp\n";

TEST(ServicesFile, FindsPortsByNameAliasAndNumber)
{
    const auto services = parse_services(std::string(kServices) + "raw-ftp 352/tcp rawftp\n");
    EXPECT_EQ(find_port(services, "ftp"), 21);
    EXPECT_EQ(find_port(services, "rawftp"), 352);
    EXPECT_EQ(find_port(services, "2121"), 2121);
    EXPECT_EQ(find_port(services, "fspd"), std::nullopt) << "udp";
    EXPECT_EQ(find_port(services, "FTP"), std::nullopt) << "names have a case";
    EXPECT_EQ(find_port(services, "0"), std::nullopt);
    EXPECT_EQ(find_port(services, "65536"), std::nullopt);
}

TEST(ServicesFile, PutsRawFtpInItsPlaceOnce)
{
    const std::string with = with_raw_ftp(kServices);
    const std::size_t raw = with.find("raw-ftp");
    ASSERT_NE(raw, std::string::npos);
    EXPECT_LT(with.find("imap3"), raw);
    EXPECT_LT(raw, with.find("https"));
    EXPECT_EQ(find_port(parse_services(with), "raw-ftp"), kRawPort);
    EXPECT_EQ(with_raw_ftp(with), with);
    EXPECT_EQ(find_port(parse_services(with_raw_ftp("ftp 21/tcp")), "raw-ftp"), kRawPort) << "no last newline";
    EXPECT_EQ(find_port(parse_services(with_raw_ftp("ftp 21/tcp")), "ftp"), 21);
    EXPECT_EQ(find_port(parse_services(with_raw_ftp("")), "raw-ftp"), kRawPort);
    EXPECT_EQ(find_port(parse_services(with_raw_ftp("raw-ftp 400/tcp\n")), "raw-ftp"), 400) << "the administrator's stays";
}

TEST(XinetdConf, ReadsBlocksAndIncludes)
{
    const auto file = parse_xinetd_conf("defaults\n{\n disabled = telnet\n}\n# service no\nservice ftp\n{\n\tdisable = no\n"
                                        "\tflags = REUSE\n\tflags += NOLIBWRAP\n\tserver = /usr/sbin/vsftpd\n"
                                        "\tserver_args = -a -b\n\tserver_args -= -b\n\tbind = 192.0.2.1\n}\n"
                                        "service telnet {\n}\nincludedir /etc/xinetd.d\ninclude /etc/more\n",
        "/etc/xinetd.conf");
    ASSERT_EQ(file.blocks.size(), 3u);
    const XinetdBlock& ftp = file.blocks[1];
    EXPECT_EQ(ftp.name, "ftp");
    EXPECT_EQ(ftp.line, 6u);
    EXPECT_EQ(ftp.value("server"), "/usr/sbin/vsftpd");
    EXPECT_EQ(ftp.value("SERVER"), "");
    EXPECT_EQ(ftp.value("server_args"), "-a");
    EXPECT_TRUE(ftp.has_flag("nolibwrap"));
    EXPECT_TRUE(is_enabled(ftp, file.blocks[0]));
    EXPECT_FALSE(is_enabled(file.blocks[2], file.blocks[0])) << "named by disabled";
    EXPECT_EQ(file.included_directories, (std::vector<std::string>{"/etc/xinetd.d"}));
    EXPECT_EQ(file.included_files, (std::vector<std::string>{"/etc/more"}));
}

TEST(XinetdConf, KnowsTheWaysToSwitchOff)
{
    const auto block
        = [](const std::string& lines) { return parse_xinetd_conf("service ftp\n{\n" + lines + "}\n", "f").blocks.at(0); };
    XinetdBlock only_others;
    only_others.values["enabled"] = {"time"};
    EXPECT_FALSE(is_enabled(block("disable = yes\n"), {}));
    EXPECT_FALSE(is_enabled(block("flags = DISABLE\n"), {}));
    EXPECT_FALSE(is_enabled(block(""), only_others));
    EXPECT_FALSE(is_enabled(block("id = other\n"), only_others));
    EXPECT_TRUE(is_enabled(block("id = time\n"), only_others));
    EXPECT_TRUE(parse_xinetd_conf("service ftp\n{\n server = /x\n", "f").blocks.empty()) << "an unfinished block";
}

TEST(SystemdUnits, ReadsSectionsContinuationsAndComments)
{
    const auto settings = parse_unit("[Unit]\n# A=b\n; C=d\nDescription = x y \n[Socket]\nListenStream=21\n"
                                     "ListenStream=\nListenStream=127.0.0.1:351\n[Service]\nExecStart=/usr/sbin/vsftpd \\\n"
                                     "# between\n   /etc/vsftpd.conf\nrubbish\n",
        "f");
    Unit unit{.name = "x", .file = "f", .settings = settings};
    EXPECT_EQ(unit.last_value("Unit", "Description"), "x y");
    ASSERT_EQ(unit.values("Socket", "ListenStream").size(), 1u) << "the empty one forgets";
    EXPECT_EQ(unit.values("Socket", "ListenStream")[0].value, "127.0.0.1:351");
    EXPECT_EQ(unit.values("Service", "ExecStart")[0].line, 10u);
    EXPECT_EQ(parse_exec(unit.last_value("Service", "ExecStart")).arguments,
        (std::vector<std::string>{"/usr/sbin/vsftpd", "/etc/vsftpd.conf"}));
    EXPECT_EQ(unit.last_value("Service", "Description"), "");
}

TEST(SystemdUnits, TakesPrefixesAndQuotesOffCommands)
{
    const ExecCommand command = parse_exec("-@/usr/sbin/tcpd \"in ftpd\" -l 'a b' c\\ d");
    EXPECT_EQ(command.program, "/usr/sbin/tcpd");
    EXPECT_EQ(command.arguments, (std::vector<std::string>{"in ftpd", "-l", "a b", "c d"}));
    EXPECT_EQ(parse_exec("/bin/x").arguments, (std::vector<std::string>{"/bin/x"}));
    EXPECT_EQ(parse_exec("").program, "");
    EXPECT_EQ(parse_exec("-").program, "");
}

TEST(SocketsFile, ReadsListenersOfBothFamilies)
{
    const auto four = parse_sockets(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:015F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
        "   1: 0100007F:015F 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n"
        "   2: 0100007G:015F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0\n"
        "   3: 0100007F 00000000:0000 0A\n");
    ASSERT_EQ(four.listening.size(), 1u);
    ASSERT_EQ(four.connected.size(), 1u);
    EXPECT_EQ(four.connected[0].inode, 4712u);
    EXPECT_EQ(four.listening[0].endpoint.to_string(), "127.0.0.1:351");
    EXPECT_EQ(four.listening[0].inode, 4711u);
    const auto six = parse_sockets("   0: 00000000000000000000000001000000:0015 00000000000000000000000000000000:0000 0A "
                                   "00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0\n");
    ASSERT_EQ(six.listening.size(), 1u);
    EXPECT_EQ(six.listening[0].endpoint.to_string(), "[::1]:21");
    EXPECT_TRUE(parse_sockets("").listening.empty());
}

} // namespace
} // namespace safetp::setup
