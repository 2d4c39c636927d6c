// Openings, plans and the tables' answers on scratch roots.
#include "setup/plan.h"

#include "scratch.h"
#include "setup/machine.h"
#include "setup/openings.h"
#include "setup/table_judge.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace safetp::setup {
namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }

const std::vector<IpAddress> kAddresses{address("127.0.0.1"), address("::1"), address("192.0.2.1")};
constexpr const char* kLine = "ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.ftpd -l\n";

/// A machine with inetd, tcpd and an ftpd behind it.
void install_inetd(const Scratch& scratch, const std::string& lines = kLine)
{
    scratch.write("/etc/services", "ftp 21/tcp\nhttps 443/tcp\n");
    scratch.write("/etc/inetd.conf", "# inetd\n" + lines + "time stream tcp nowait root internal\n");
    for (const char* program : {"/usr/sbin/inetd", "/usr/sbin/tcpd", "/usr/sbin/in.ftpd"})
        scratch.program(program);
}

void install_vsftpd(const Scratch& scratch, const std::string& settings = "listen=YES\n")
{
    scratch.program("/usr/sbin/vsftpd");
    scratch.write("/etc/vsftpd.conf", settings);
    scratch.write("/lib/systemd/system/vsftpd.service", "[Service]\nExecStart=/usr/sbin/vsftpd /etc/vsftpd.conf\n");
    scratch.link("/etc/systemd/system/multi-user.target.wants/vsftpd.service", "/lib/systemd/system/vsftpd.service");
}

Result<Plan> plan(const Scratch& scratch, Backend backend, const std::string& ftpd = "")
{
    return make_plan(scratch.root(), {backend, ftpd, "", kAddresses});
}

std::string after(const Result<Plan>& made, const std::string& path)
{
    if (!made)
        return describe(made.error());
    const auto found = std::ranges::find(made->changes, path, &Change::path);
    return found == made->changes.end() ? "unchanged" : found->after;
}

std::vector<Opening> openings(const Scratch& scratch)
{
    return find_configured(scratch.root(), read_services(scratch.root()), {21, 351}).found;
}

/// The same after a look at what listens.
std::vector<Opening> openings_with(const Scratch& scratch, const std::vector<Listener>& listeners)
{
    Openings all = find_configured(scratch.root(), read_services(scratch.root()), {21, 351});
    add_listeners(scratch.root(), listeners, {21, 351}, all);
    return all.found;
}

bool has_command(const Plan& made, const std::string& line)
{
    return std::ranges::find(made.commands, line) != made.commands.end();
}

bool is_idempotent(const Scratch& scratch, Backend backend)
{
    const auto first = plan(scratch, backend);
    if (!first || !first->is_needed() || !apply_changes(scratch.root(), first->changes))
        return false;
    const auto second = plan(scratch, backend);
    return second && !second->is_needed();
}

TEST(Openings, FindsWhatEachSuperServerStarts)
{
    const Scratch scratch;
    install_inetd(scratch,
        "ftp stream tcp nowait root /usr/sbin/safetpd safetpd -s\n"
        "raw-ftp stream tcp nowait root /usr/sbin/tcpd wu.ftpd -l\n"
        "#<off># ftp stream tcp nowait root /usr/sbin/in.ftpd\n"
        "127.0.0.1:2100 stream tcp nowait root /usr/sbin/in.ftpd in.ftpd\n"
        "ftp dgram udp wait root /usr/sbin/in.ftpd in.ftpd\n"
        "https stream tcp nowait root /usr/sbin/stunnel stunnel\n");
    scratch.write("/etc/services", "ftp 21/tcp\nraw-ftp 351/tcp\nhttps 443/tcp\n");
    scratch.write("/etc/xinetd.d/ftp", "service ftp\n{\n disable = no\n server = /usr/sbin/vsftpd\n bind = 192.0.2.1\n}\n");
    scratch.write("/etc/xinetd.conf", "defaults\n{\n}\nincludedir /etc/xinetd.d\n");
    scratch.write("/etc/systemd/system/proftpd.socket", "[Socket]\nListenStream=[::]:21\nAccept=yes\n");
    scratch.write("/etc/systemd/system/proftpd@.service", "[Service]\nExecStart=-/usr/sbin/in.proftpd\n");
    scratch.link("/etc/systemd/system/sockets.target.wants/proftpd.socket", "../proftpd.socket");
    const auto found = openings(scratch);
    ASSERT_EQ(found.size(), 4u);
    EXPECT_EQ(found[0].daemon, "wu.ftpd");
    EXPECT_EQ(found[0].port, 351);
    EXPECT_EQ(found[0].asks, Asks::tables);
    EXPECT_EQ(found[1].address, address("127.0.0.1"));
    EXPECT_EQ(found[1].asks, Asks::nobody);
    EXPECT_EQ(found[2].source, Source::xinetd);
    EXPECT_EQ(found[2].address, address("192.0.2.1"));
    EXPECT_EQ(found[3].source, Source::systemd_socket);
    EXPECT_EQ(found[3].port, 21);
    EXPECT_EQ(found[3].address, std::nullopt);
}

TEST(Openings, KnowsWhenAStandaloneServerStartsAtBoot)
{
    const Scratch enabled, masked, disabled, inetd;
    install_vsftpd(enabled, "listen_ipv6=YES\nlisten_port=2121\n");
    ASSERT_EQ(openings(enabled).size(), 1u);
    EXPECT_EQ(openings(enabled)[0].port, 2121);
    EXPECT_EQ(openings(enabled)[0].unit, "vsftpd.service");
    install_vsftpd(masked);
    masked.link("/etc/systemd/system/vsftpd.service", "/dev/null");
    EXPECT_TRUE(openings(masked).empty());
    install_vsftpd(disabled);
    std::filesystem::remove(disabled.path() + "/etc/systemd/system/multi-user.target.wants/vsftpd.service");
    EXPECT_TRUE(openings(disabled).empty());
    install_vsftpd(inetd, "listen=NO\n");
    EXPECT_TRUE(openings(inetd).empty());
}

TEST(Openings, KnowsVsftpdsOptionsOnItsCommandLine)
{
    const Scratch scratch;
    scratch.write("/etc/vsftpd.conf", "listen=NO");
    const auto settings
        = [&](std::vector<std::string> arguments) { return read_ftpd_settings(scratch.root(), FtpdKind::vsftpd, arguments); };
    EXPECT_TRUE(settings({"vsftpd"}).listens.empty());
    ASSERT_EQ(settings({"vsftpd", "-olisten=YES", "-olisten_port=2100"}).listens.size(), 1u);
    EXPECT_EQ(settings({"vsftpd", "-olisten=YES", "-olisten_port=2100"}).listens[0].port, 2100);
    EXPECT_TRUE(settings({"vsftpd", "-otcp_wrappers=YES"}).asks_tables);
}

TEST(Openings, ReadsProftpdsIncludesAndPorts)
{
    const Scratch scratch;
    scratch.write("/etc/proftpd/proftpd.conf",
        "ServerType standalone\nPort 21\nInclude /etc/proftpd/conf.d/\nInclude /etc/proftpd/proftpd.conf\n");
    scratch.write("/etc/proftpd/conf.d/host.conf", "<VirtualHost 192.0.2.1>\n  Port 2121\n</VirtualHost>\n");
    const auto settings = read_proftpd_conf(scratch.root(), "/etc/proftpd/proftpd.conf");
    const auto has = [&](std::uint16_t port) {
        return std::ranges::any_of(settings.listens, [&](const Standing& standing) { return standing.port == port; });
    };
    EXPECT_TRUE(has(21) && has(2121) && !has(351));
    scratch.write("/etc/proftpd/conf.d/type.conf", "ServerType inetd\n");
    scratch.write("/etc/proftpd/proftpd.conf", "Include /etc/proftpd/conf.d/*.conf\n");
    EXPECT_TRUE(read_proftpd_conf(scratch.root(), "/etc/proftpd/proftpd.conf").listens.empty());
}

TEST(Openings, TakesSocketsThatNoFileExplains)
{
    const Scratch scratch;
    const auto any = IpAddress::from_ipv6({});
    const Owner ftpd{7, "vsftpd", "/usr/sbin/vsftpd", {"vsftpd"}}, door{8, "safetpd", "/usr/sbin/safetpd", {"safetpd"}},
        other{9, "sshd", "/usr/sbin/sshd", {"sshd"}}, inetd{10, "inetd", "/usr/sbin/inetd", {"inetd"}};
    const auto found = openings_with(scratch,
        {{{any, 21}, {door}}, {{any, 2100}, {ftpd}}, {{any, 22}, {other}}, {{any, 351}, {inetd}}, {{IpAddress(), 351}, {inetd}},
            {{any, 99}, {}}});
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].port, 2100);
    EXPECT_EQ(found[0].kind, FtpdKind::vsftpd);
    EXPECT_EQ(found[1].port, 351);
    EXPECT_EQ(found[1].asks, Asks::unknown) << "inetd has it, but no line says so";
}

TEST(Openings, TellsASessionsDataPortFromAServersPort)
{
    const Scratch scratch;
    const auto any = IpAddress::from_ipv6({});
    Owner session{7, "vsftpd", "/usr/sbin/vsftpd", {"vsftpd"}, true};
    EXPECT_TRUE(openings_with(scratch, {{{any, 45000}, {session}}}).empty());
    EXPECT_EQ(openings_with(scratch, {{{any, 351}, {session}}}).size(), 1u);
}

TEST(Openings, BelievesALineOnlyOfTheProgramThatListens)
{
    const Scratch scratch;
    install_inetd(scratch);
    const auto any = IpAddress::from_ipv6({});
    const Owner inetd{10, "inetd", "/usr/sbin/inetd", {"inetd"}}, vsftpd{7, "vsftpd", "/usr/sbin/vsftpd", {"vsftpd"}};
    ASSERT_EQ(openings(scratch).size(), 1u);
    auto found = openings_with(scratch, {{{any, 21}, {inetd}}});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_TRUE(found[0].is_listening);
    found = openings_with(scratch, {{{any, 21}, {vsftpd}}});
    ASSERT_EQ(found.size(), 2u) << "inetd's line has a tcpd, what listens has none";
    EXPECT_EQ(found[1].asks, Asks::nobody);
}

TEST(Openings, KnowsAnInetdThatAsksForAll)
{
    const Scratch scratch;
    install_inetd(scratch, "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd\n");
    EXPECT_EQ(openings(scratch).at(0).asks, Asks::nobody);
    scratch.write("/etc/default/openbsd-inetd", "OPTIONS=\"-E -l\"\n");
    EXPECT_EQ(openings(scratch).at(0).asks, Asks::tables);
    scratch.write("/lib/systemd/system/inetd.service", "[Service]\nExecStart=/usr/sbin/inetd\n");
    EXPECT_EQ(openings(scratch).at(0).asks, Asks::nobody) << "the unit does not read that file";
    const auto any = IpAddress::from_ipv6({});
    const auto found = openings_with(scratch, {{{any, 21}, {{10, "inetd", "/usr/sbin/inetd", {"inetd", "-il"}}}}});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].asks, Asks::tables) << "the one that runs does";
}

/// "safetpd -s" in inetd.conf, safetpd.socket with Accept=yes: ours, whoever holds the socket.
TEST(Openings, KnowsItsOwnDoorBehindASuperServer)
{
    const Scratch scratch;
    install_inetd(scratch, "ftp stream tcp nowait root /usr/sbin/safetpd safetpd -s\n");
    const auto any = IpAddress::from_ipv6({});
    const Owner inetd{10, "inetd", "/usr/sbin/inetd", {"inetd"}}, systemd{1, "systemd", "/usr/lib/systemd/systemd", {"init"}};
    EXPECT_TRUE(openings_with(scratch, {{{any, 21}, {inetd}}}).empty());
    EXPECT_EQ(openings_with(scratch, {{{any, 21}, {systemd}}}).size(), 0u) << "a super-server, too";

    const Scratch other;
    const std::string units = "/usr/lib/systemd/system/";
    other.write(units + "safetpd.socket", "[Socket]\nListenStream=21\nBindIPv6Only=both\n");
    other.write("/etc/systemd/system/safetpd.socket.d/accept.conf", "[Socket]\nAccept=yes\n");
    other.write(units + "safetpd@.service", "[Service]\nExecStart=-/usr/local/sbin/safetpd -s\nStandardInput=socket\n");
    other.link("/etc/systemd/system/sockets.target.wants/safetpd.socket", units + "safetpd.socket");
    EXPECT_TRUE(openings_with(other, {{{any, 21}, {systemd}}}).empty());
    EXPECT_EQ(openings_with(other, {{{any, 351}, {systemd}}}).size(), 1u) << "not of that unit";
}

TEST(Plan, LeavesAFrontDoorThatInetdOpens)
{
    const Scratch scratch;
    install_inetd(scratch,
        "ftp stream tcp nowait root /usr/sbin/safetpd safetpd -s\n"
        "raw-ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.ftpd -l\n");
    scratch.write("/etc/services", "ftp 21/tcp\nraw-ftp 351/tcp\n");
    scratch.program("/usr/sbin/in.ftpd");
    const auto made = make_plan(scratch.root(), {});
    ASSERT_TRUE(made) << describe(made.error());
    EXPECT_FALSE(has_command(*made, "systemctl enable safetpd.service"));
    EXPECT_FALSE(has_command(*made, "systemctl restart safetpd.service"));
    EXPECT_TRUE(has_command(*made, made->inetd_reload));
    const auto inetd = std::ranges::find(made->changes, "/etc/inetd.conf", &Change::path);
    ASSERT_NE(inetd, made->changes.end());
    EXPECT_TRUE(inetd->after.find("\nftp stream tcp nowait root /usr/sbin/safetpd safetpd -s") != std::string::npos
        || inetd->after.starts_with("ftp stream tcp nowait root /usr/sbin/safetpd safetpd -s"));
    EXPECT_NE(inetd->after.find("#<off># raw-ftp"), std::string::npos);
}

TEST(Plan, TakesBackThatARawFtpdInsistsOnTls)
{
    const Scratch scratch;
    scratch.program("/usr/sbin/vsftpd");
    scratch.write("/etc/vsftpd.conf", "listen=NO\nssl_enable=YES\nlocal_enable=YES\n");
    const auto made = make_plan(scratch.root(), {});
    ASSERT_TRUE(made) << describe(made.error());
    const auto conf = std::ranges::find(made->changes, "/etc/vsftpd.conf", &Change::path);
    ASSERT_NE(conf, made->changes.end());
    EXPECT_EQ(conf->after, "listen=NO\nssl_enable=NO\nlocal_enable=YES\n");
}

TEST(FtpdConf, KnowsWhoInsistsOnTlsOfItsOwn)
{
    EXPECT_TRUE(parse_vsftpd_conf("ssl_enable=YES\n", "f").insists_on_tls);
    EXPECT_TRUE(parse_vsftpd_conf("ssl_enable=YES\nforce_local_logins_ssl=NO\nimplicit_ssl=YES\n", "f").insists_on_tls);
    EXPECT_FALSE(parse_vsftpd_conf("ssl_enable=YES\nforce_local_logins_ssl=NO\n", "f").insists_on_tls);
    EXPECT_FALSE(parse_vsftpd_conf("force_local_logins_ssl=YES\n", "f").insists_on_tls);

    const Scratch scratch;
    const auto proftpd = [&](const std::string& text) {
        scratch.write("/etc/proftpd/proftpd.conf", "Include /etc/proftpd/tls.conf\n");
        scratch.write("/etc/proftpd/tls.conf", text);
        return read_proftpd_conf(scratch.root(), "/etc/proftpd/proftpd.conf").insists_on_tls;
    };
    ASSERT_TRUE(proftpd("<IfModule mod_tls.c>\nTLSEngine on\nTLSRequired on\n</IfModule>\n"));
    EXPECT_EQ(proftpd("TLSEngine on\nTLSRequired ctrl\n")->line, 2u);
    EXPECT_FALSE(proftpd("TLSEngine on\nTLSRequired off\n"));
    EXPECT_FALSE(proftpd("TLSRequired on\n")) << "no TLS at all";

    const auto pure = [&](std::vector<std::string> arguments) {
        return read_ftpd_settings(scratch.root(), FtpdKind::pure_ftpd, arguments).insists_on_tls.has_value();
    };
    EXPECT_TRUE(pure({"/usr/sbin/pure-ftpd", "-Y", "2"}));
    EXPECT_TRUE(pure({"/usr/sbin/pure-ftpd", "--tls=3"}));
    EXPECT_FALSE(pure({"/usr/sbin/pure-ftpd", "-Y1"}));
    scratch.write("/etc/default/pure-ftpd-common", "STANDALONE_OR_INETD=inetd\n");
    scratch.write(kPureFtpdTlsFile, "2\n");
    EXPECT_TRUE(pure({"/usr/sbin/pure-ftpd-wrapper"}));
    EXPECT_FALSE(pure({"/usr/sbin/pure-ftpd"})) << "it does not read that file";
}

TEST(Plan, StartsTheFtpdOfInetdPerSession)
{
    const Scratch scratch;
    install_inetd(scratch);
    const auto made = plan(scratch, Backend::started);
    EXPECT_NE(after(made, "/etc/inetd.conf").find("#<off># ftp stream tcp"), std::string::npos);
    EXPECT_NE(after(made, "/etc/safetp/safetpd.toml").find("command = [\"/usr/sbin/in.ftpd\", \"-l\"]"), std::string::npos);
    EXPECT_EQ(after(made, "/etc/services"), "unchanged");
    EXPECT_EQ(after(made, "/etc/hosts.deny"), "unchanged");
    EXPECT_TRUE(has_command(*made, "kill -HUP \"$(cat /run/inetd.pid)\""));
    EXPECT_TRUE(is_idempotent(scratch, Backend::started));
    EXPECT_TRUE(openings(scratch).empty());
}

TEST(Plan, MovesInetdsLineAndGuardsIt)
{
    const Scratch scratch;
    install_inetd(scratch);
    const auto made = plan(scratch, Backend::inetd);
    EXPECT_NE(after(made, "/etc/inetd.conf").find("raw-ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/in.ftpd -l\n"),
        std::string::npos);
    EXPECT_NE(after(made, "/etc/services").find("raw-ftp"), std::string::npos);
    EXPECT_NE(after(made, "/etc/hosts.allow").find("\nin.ftpd : 127.0.0.1 [::1] 192.0.2.1\n"), std::string::npos);
    EXPECT_NE(after(made, "/etc/hosts.deny").find("\nin.ftpd : ALL\n"), std::string::npos);
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->changes[0].path.starts_with("/etc/hosts.")) << "the guard comes first";
    EXPECT_TRUE(is_idempotent(scratch, Backend::inetd));
}

TEST(Plan, DeniesInHostsAllowWhatARuleThereWouldAllow)
{
    const Scratch scratch;
    install_inetd(scratch);
    scratch.write("/etc/hosts.allow", "ALL : ALL\n");
    EXPECT_NE(after(plan(scratch, Backend::inetd), "/etc/hosts.allow").find("\nin.ftpd : ALL : deny\n"), std::string::npos);
}

TEST(Plan, GuardsWhereSafetpTcpdReads)
{
    const Scratch scratch;
    install_inetd(scratch, "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd\n");
    scratch.program("/usr/sbin/safetp-tcpd");
    scratch.write(
        "/etc/safetp/safetpd.toml", "[access]\nhosts_allow = \"/etc/safetp/allow\"\nhosts_deny = \"/etc/safetp/deny\"\n");
    scratch.write("/etc/safetp/allow", "ALL : ALL\n");
    const auto made = plan(scratch, Backend::inetd);
    EXPECT_NE(after(made, "/etc/inetd.conf").find("/usr/sbin/safetp-tcpd\tin.ftpd\n"), std::string::npos);
    EXPECT_NE(after(made, "/etc/safetp/allow").find("\nin.ftpd : ALL : deny\n"), std::string::npos);
    EXPECT_NE(after(made, "/etc/safetp/deny").find("\nin.ftpd : ALL\n"), std::string::npos);
    EXPECT_EQ(after(made, "/etc/hosts.deny"), "unchanged");
    EXPECT_TRUE(is_idempotent(scratch, Backend::inetd));
}

/// libwrap takes [x::]/junk for every IPv6 client, and under the strict reading so does safetp-tcpd.
TEST(Plan, GuardsAsSafetpTcpdReads)
{
    for (const bool is_strict : {false, true}) {
        const Scratch scratch;
        install_inetd(scratch, "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd\n");
        scratch.program("/usr/sbin/safetp-tcpd");
        scratch.write("/etc/safetp/safetpd.toml", is_strict ? "[access]\nreading = \"strict\"\n" : "");
        scratch.write("/etc/hosts.allow", "ALL : [2001:db8:5::]/junk\n");
        const auto made = make_plan(scratch.root(), {Backend::inetd, "", "", {address("127.0.0.1"), address("2001:db8:1::1")}});
        EXPECT_EQ(after(made, "/etc/hosts.allow").find("in.ftpd : ALL : deny") != std::string::npos, is_strict);
    }
}

TEST(Plan, TellsTheGatewayWhereInetdListens)
{
    const Scratch one, two, scope;
    install_inetd(one, "192.0.2.1:ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd\n");
    EXPECT_NE(after(plan(one, Backend::inetd), "/etc/safetp/safetpd.toml").find("address = \"192.0.2.1\""), std::string::npos);
    EXPECT_TRUE(is_idempotent(one, Backend::inetd));
    install_inetd(two, "192.0.2.1:ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd\n" + std::string(kLine));
    EXPECT_EQ(after(plan(two, Backend::inetd), "/etc/safetp/safetpd.toml").find("address"), std::string::npos);
    install_inetd(scope, "127.0.0.1:\n");
    EXPECT_NE(after(plan(scope, Backend::inetd), "/etc/inetd.conf").find("\n*:raw-ftp\t"), std::string::npos)
        << "a new line is not for the addresses of the lines before it";
    EXPECT_TRUE(is_idempotent(scope, Backend::inetd));
}

TEST(Plan, StopsAServerThatListensByItself)
{
    const Scratch scratch;
    install_vsftpd(scratch, "# mine\nlisten=NO\nlisten_ipv6=YES\n");
    const auto made = plan(scratch, Backend::started);
    EXPECT_EQ(after(made, "/etc/vsftpd.conf"), "# mine\nlisten=NO\nlisten_ipv6=NO\n");
    for (const char* line : {"systemctl stop vsftpd.service", "systemctl disable vsftpd.service"})
        EXPECT_TRUE(has_command(*made, line)) << line;
    EXPECT_NE(after(made, "/etc/safetp/safetpd.toml").find("[\"/usr/sbin/vsftpd\", \"/etc/vsftpd.conf\"]"), std::string::npos);
    EXPECT_TRUE(is_idempotent(scratch, Backend::started));
}

TEST(Plan, WritesUnitsOnLoopback)
{
    const Scratch scratch;
    install_vsftpd(scratch);
    const auto made = plan(scratch, Backend::systemd);
    EXPECT_NE(after(made, "/etc/systemd/system/raw-ftp.socket").find("ListenStream=127.0.0.1:351\n"), std::string::npos);
    EXPECT_NE(after(made, "/etc/systemd/system/raw-ftp@.service").find("ExecStart=-/usr/sbin/vsftpd /etc/vsftpd.conf\n"),
        std::string::npos);
    EXPECT_NE(after(made, "/etc/safetp/safetpd.toml").find("address = \"127.0.0.1\""), std::string::npos);
    EXPECT_TRUE(is_idempotent(scratch, Backend::systemd));
    EXPECT_FALSE(plan(scratch, Backend::started)) << "the units would stay";
}

TEST(Plan, GoesFromOneBackendToAnother)
{
    const Scratch scratch;
    install_inetd(scratch);
    EXPECT_TRUE(is_idempotent(scratch, Backend::inetd));
    EXPECT_TRUE(is_idempotent(scratch, Backend::started));
    EXPECT_TRUE(openings(scratch).empty());
}

TEST(Plan, RefusesWhatItCannotDo)
{
    const Scratch empty, no_inetd, no_tcpd, broken, two, foreign;
    EXPECT_FALSE(plan(empty, Backend::started)) << "no ftpd";
    EXPECT_FALSE(plan(empty, Backend::started, "/usr/sbin/missing"));
    install_vsftpd(no_inetd);
    EXPECT_FALSE(plan(no_inetd, Backend::inetd));
    install_inetd(no_tcpd, "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd\n");
    std::filesystem::remove(no_tcpd.path() + "/usr/sbin/tcpd");
    EXPECT_FALSE(plan(no_tcpd, Backend::inetd));
    install_inetd(broken);
    broken.write("/etc/safetp/safetpd.toml", "nonsense\n");
    EXPECT_FALSE(plan(broken, Backend::started));
    install_inetd(two, std::string(kLine) + "192.0.2.1:ftp stream tcp nowait root /usr/sbin/tcpd wu.ftpd\n");
    EXPECT_FALSE(plan(two, Backend::inetd)) << "two daemons on one port";
    install_vsftpd(foreign);
    foreign.write("/etc/systemd/system/raw-ftp.socket", "[Socket]\n");
    EXPECT_FALSE(plan(foreign, Backend::systemd)) << "somebody else's unit";
}

TEST(TableJudge, AnswersAsTheTablesDo)
{
    const Scratch scratch;
    scratch.write("/etc/hosts.allow", "vsftpd : 127.0.0.1 192.0.2.0/255.255.255.0 /etc/friends\nother : .example.org\n");
    scratch.write("/etc/hosts.deny", "ALL : ALL\n");
    scratch.write("/etc/friends", "198.51.100.7\n");
    const Judge judge = make_judge(scratch.root(), {});
    const auto ask = [&](const char* daemon, const char* client) {
        return judge({.daemon = daemon, .client = client, .server = "192.0.2.1", .port = 351});
    };
    EXPECT_TRUE(ask("vsftpd", "192.0.2.9").is_granted);
    EXPECT_TRUE(ask("vsftpd", "198.51.100.7").is_granted) << "from the root's own pattern file";
    EXPECT_EQ(ask("vsftpd", "192.0.2.9").why, "hosts.allow:1");
    EXPECT_FALSE(ask("vsftpd", "203.0.113.77").is_granted);
    EXPECT_EQ(ask("vsftpd", "203.0.113.77").why, "hosts.deny:1");
    EXPECT_TRUE(ask("other", "203.0.113.77").asked_name);
    scratch.write("/etc/hosts.allow", "a : KNOWN\nb : KNOWN@ALL\nc : .example.com\n");
    const Judge names = make_judge(scratch.root(), {});
    const auto ask_named = [&](const char* daemon, bool is_named) {
        return names({.daemon = daemon, .client = "203.0.113.77", .server = "192.0.2.1", .is_named = is_named}).is_granted;
    };
    for (const char* daemon : {"a", "b"})
        EXPECT_TRUE(ask_named(daemon, true) && !ask_named(daemon, false)) << daemon;
    EXPECT_FALSE(ask_named("c", true)) << "any name, but not every name";
    scratch.write("/etc/hosts.deny", "vsftpd : 203.0.113.7/24\n"); // libwrap: bits outside the mask, never
    for (const access::Reading reading : {access::Reading::strict, access::Reading::safe}) {
        const Judge ours = make_judge(scratch.root(), {.our_reading = reading});
        const Caller caller{.daemon = "vsftpd", .client = "203.0.113.77", .server = "192.0.2.1", .is_by_our_wrapper = true};
        EXPECT_EQ(ours(caller).is_granted, reading == access::Reading::strict);
        EXPECT_TRUE(ours({.daemon = "vsftpd", .client = "203.0.113.77", .server = "192.0.2.1"}).is_granted) << "the library";
    }
    scratch.write("/etc/hosts.deny", "ALL : ALL\n");
    EXPECT_TRUE(make_judge(scratch.root(), {.new_allow = "", .new_deny = ""})(
        {.daemon = "x", .client = "203.0.113.77", .server = "192.0.2.1"})
                    .is_granted);
}

TEST(Machine, TakesItsPortsFromTheRootsServices)
{
    const Scratch scratch;
    scratch.write("/etc/services", "raw-ftp 400/tcp\nmine 401/tcp\n");
    const auto port = [&](const std::string& toml) {
        scratch.write("/etc/safetp/safetpd.toml", toml);
        const auto config = read_config(scratch.root(), "", read_services(scratch.root()));
        return config ? config->server.port : 0;
    };
    EXPECT_EQ(port("[server]\n"), 400);
    EXPECT_EQ(port("[server]\nport = \"raw-ftp\"\n"), 400);
    EXPECT_EQ(port("[server]\nport = 2100\n"), 2100);
    EXPECT_EQ(port("rubbish\n"), 0);
    EXPECT_FALSE(read_config(scratch.root(), "/etc/missing.toml", {}));
}

/// Debian's xinetd reads /etc/inetd.conf, too; and whichever of them reads it may not run, having had nothing to do.
TEST(Plan, TellsTheSuperServerThatIsThere)
{
    struct Case {
        const char* path;
        const char* reload;
    };
    const Case cases[] = {{"/lib/systemd/system/inetd.service", "systemctl reload-or-restart inetd.service"},
        {"/etc/init.d/xinetd", "systemctl reload-or-restart xinetd.service"},
        {"/usr/lib/systemd/system/xinetd.service", "systemctl reload-or-restart xinetd.service"},
        {"/etc/elsewhere", "kill -HUP \"$(cat /run/xinetd.pid)\""}};
    for (const auto& [path, reload] : cases) {
        const Scratch scratch;
        scratch.write("/etc/services", "ftp 21/tcp\n");
        scratch.write("/etc/inetd.conf", "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd -l\n");
        scratch.program("/usr/sbin/in.ftpd");
        scratch.program("/usr/sbin/xinetd");
        scratch.write(path, "");
        const auto made = plan(scratch, Backend::started);
        ASSERT_TRUE(made) << describe(made.error());
        EXPECT_EQ(made->commands.front(), reload);
        EXPECT_EQ(made->undo_commands.back(), reload);
    }
}

TEST(Plan, TellsXinetdOnce)
{
    const Scratch scratch;
    scratch.write("/etc/services", "ftp 21/tcp\n");
    scratch.write("/etc/inetd.conf", "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd -l\n");
    scratch.write("/etc/xinetd.conf", "service ftp\n{\n server = /usr/sbin/in.ftpd\n bind = 192.0.2.1\n}\n");
    for (const char* program : {"/usr/sbin/in.ftpd", "/usr/sbin/xinetd", "/etc/init.d/xinetd"})
        scratch.program(program);
    const auto made = plan(scratch, Backend::started);
    ASSERT_TRUE(made) << describe(made.error());
    for (const auto* commands : {&made->commands, &made->undo_commands})
        EXPECT_EQ(std::ranges::count(*commands, "systemctl reload-or-restart xinetd.service"), 1);
}

} // namespace
} // namespace safetp::setup
