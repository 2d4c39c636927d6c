#include "support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <set>
#include <syslog.h>

namespace safetp::config {
namespace {

using std::chrono::hours;

/// A file with this one key, in the section that its path names; `rest` is what else the key needs.
std::string file_with(std::string_view path, std::string_view value, std::string_view rest = "")
{
    const auto dot = path.find('.');
    if (dot == std::string_view::npos)
        return fmt::format("{} = {}\n{}\n", path, value, rest);
    const auto section = path.substr(0, dot);
    const auto key = path.substr(dot + 1);
    const std::string head = fmt::format(section == "listener" ? fmt::runtime("[[{}]]") : fmt::runtime("[{}]"), section);
    if (key == "certificates.certificate")
        return fmt::format("{}\ncertificates = [{{ certificate = {} }}]\n", head, value);
    if (key == "certificates.key")
        return fmt::format("{}\ncertificates = [{{ certificate = \"/c.pem\", key = {} }}]\n", head, value);
    if (key == "announce_for.clients")
        return fmt::format("{}\nannounce_for = [{{ clients = {}, address = \"192.0.2.1\" }}]\n", head, value);
    if (key == "announce_for.address")
        return fmt::format("{}\nannounce_for = [{{ clients = \"10.0.0.0/8\", address = {} }}]\n", head, value);
    return fmt::format("{}\n{} = {}\n{}\n", head, key, value, rest);
}

std::pair<Network, std::string> first_announced(const Config& config)
{
    const auto& entries = config.data.announce.for_clients;
    return entries.empty() ? std::pair<Network, std::string>{} : entries.front();
}

struct Good {
    const char* path;
    const char* value;
    bool (*holds)(const Config& config);
    const char* rest = "";
};

constexpr const char* kClientCa = "[tls]\nclient_ca = \"/ca.pem\"";
constexpr const char* kCommand = "command = [\"/usr/sbin/in.ftpd\"]";

const Good kGood[] = {
    {"greeting", "\"hello, 220 times\"", [](const Config& c) { return c.greeting == "hello, 220 times"; }},
    {"listener.address", "\"2001:db8::1\"",
        [](const Config& c) { return c.listeners.at(0).address == *IpAddress::parse("2001:db8::1"); }},
    {"listener.address", "\"0.0.0.0\"", [](const Config& c) { return c.listeners.at(0).address == IpAddress(); }},
    {"listener.port", "1", [](const Config& c) { return c.listeners.at(0).port == 1; }},
    {"listener.port", "65535", [](const Config& c) { return c.listeners.at(0).port == 65535; }},
    {"listener.implicit_tls", "true", [](const Config& c) { return c.listeners.at(0).implicit_tls; }},
    {"listener.security", "\"optional\"", [](const Config& c) { return c.listeners.at(0).security == Security::optional; }},
    {"listener.security", "\"required-except-anonymous\"",
        [](const Config& c) { return c.listeners.at(0).security == Security::required_except_anonymous; }},
    {"listener.data_security", "\"optional\"",
        [](const Config& c) { return c.listeners.at(0).data_security == DataSecurity::optional; }},
    {"listener.session_reuse", "\"require\"",
        [](const Config& c) { return c.listeners.at(0).session_reuse == SessionReuse::require; }},
    {"listener.session_reuse", "\"off\"", [](const Config& c) { return c.listeners.at(0).session_reuse == SessionReuse::off; }},
    {"listener.client_certificate", "\"request\"",
        [](const Config& c) { return c.listeners.at(0).client_certificate == ClientCertificate::request; }, kClientCa},
    {"listener.client_certificate", "\"require\"",
        [](const Config& c) { return c.listeners.at(0).client_certificate == ClientCertificate::require; }, kClientCa},
    {"listener.allow_ccc", "true", [](const Config& c) { return c.listeners.at(0).allow_ccc; }},
    {"server.address", "\"fe80::1%lo\"", [](const Config& c) { return c.server.address && c.server.address->scope() != 0; }},
    {"server.address", "\"127.0.0.1\"", [](const Config& c) { return c.server.address == *IpAddress::parse("127.0.0.1"); }},
    {"server.port", "2121", [](const Config& c) { return c.server.port == 2121; }},
    {"server.port", "\"raw-ftp\"", [](const Config& c) { return c.server.port == parse("", "").config.server.port; }},
    {"server.command", "[\"/bin/ftpd\", \"-l\", \"\"]",
        [](const Config& c) { return c.server.command == std::vector<std::string>{"/bin/ftpd", "-l", ""}; }},
    {"server.argv0", "\"in.ftpd\"", [](const Config& c) { return c.server.argv0 == "in.ftpd"; }, kCommand},
    {"server.user", "\"ftp\"", [](const Config& c) { return c.server.user == "ftp"; }, kCommand},
    {"server.directory", "\"/srv\"", [](const Config& c) { return c.server.directory == "/srv"; }, kCommand},
    {"server.data_mode", "\"active\"", [](const Config& c) { return c.server.data_mode == ServerDataMode::active; }},
    {"server.data_mode", "\"epsv\"", [](const Config& c) { return c.server.data_mode == ServerDataMode::epsv; }},
    {"server.data_mode", "\"pasv\"", [](const Config& c) { return c.server.data_mode == ServerDataMode::pasv; }},
    {"server.line_bytes", "511", [](const Config& c) { return c.server.line_bytes == 511; }},
    {"listener.daemon", "\"in.ftpd-2_b\"", [](const Config& c) { return c.listeners.at(0).daemon == "in.ftpd-2_b"; }},
    {"access.enabled", "false", [](const Config& c) { return !c.access.enabled; }},
    {"access.hosts_allow", "\"/a\"", [](const Config& c) { return c.access.hosts_allow == "/a"; }},
    {"access.hosts_deny", "\"/d\"", [](const Config& c) { return c.access.hosts_deny == "/d"; }},
    {"access.reading", "\"strict\"", [](const Config& c) { return c.access.reading == AccessReading::strict; }},
    {"access.paranoid", "\"always\"", [](const Config& c) { return c.access.paranoid == Paranoid::always; }},
    {"access.daemon", "\"ftpd\"", [](const Config& c) { return c.access.daemon == "ftpd"; }},
    {"access.lookup_time", "59", [](const Config& c) { return c.access.lookup_time == seconds(59); }},
    {"access.ident_time", "\"5m\"", [](const Config& c) { return c.access.ident_time == seconds(300); }},
    {"access.cache_time", "0", [](const Config& c) { return c.access.cache_time == seconds(0); }},
    {"access.refusal", "\"silent\"", [](const Config& c) { return c.access.refusal == Refusal::silent; }},
    {"access.refusal", "\"delay\"", [](const Config& c) { return c.access.refusal == Refusal::delay; }},
    {"access.refusal_delay", "\"10m\"", [](const Config& c) { return c.access.refusal_delay == seconds(600); }},
    {"access.refusal_slots", "0", [](const Config& c) { return c.access.refusal_slots == 0; }},
    {"access.bad_table", "\"keep\"", [](const Config& c) { return c.access.bad_table == BadTable::keep; }},
    {"access.commands", "true", [](const Config& c) { return c.access.commands; }},
    {"access.command_user", "\"daemon\"", [](const Config& c) { return c.access.command_user == "daemon"; }},
    {"tls.certificates.certificate", "\"/a.pem\"",
        [](const Config& c) { return c.tls.certificates == std::vector<CertificateFiles>{{"/a.pem", ""}}; }},
    {"tls.certificates.key", "\"/a.key\"",
        [](const Config& c) { return c.tls.certificates == std::vector<CertificateFiles>{{"/c.pem", "/a.key"}}; }},
    {"tls.key_directory", "\"/k\"", [](const Config& c) { return c.tls.key_directory == "/k"; }},
    {"tls.minimum_version", "\"1.3\"", [](const Config& c) { return c.tls.minimum_version == "1.3"; }},
    {"tls.ciphers", "\"ECDHE+AESGCM\"", [](const Config& c) { return c.tls.ciphers == "ECDHE+AESGCM"; }},
    {"tls.ciphersuites", "\"TLS_AES_256_GCM_SHA384\"",
        [](const Config& c) { return c.tls.ciphersuites == "TLS_AES_256_GCM_SHA384"; }},
    {"tls.client_ca", "\"/ca.pem\"", [](const Config& c) { return c.tls.client_ca == "/ca.pem"; }},
    {"tls.client_crl", "\"/crl.pem\"\nclient_ca = \"/ca.pem\"",
        [](const Config& c) { return c.tls.client_crl == "/crl.pem"; }},
    {"tls.refuse_unknown_names", "true", [](const Config& c) { return c.tls.refuse_unknown_names; }},
    {"tls.data_key_exchange", "\"each\"",
        [](const Config& c) { return c.tls.data_key_exchange == DataKeyExchange::each; }},
    {"tls.ticket_lifetime", "\"7d\"", [](const Config& c) { return c.tls.ticket_lifetime == hours(168); }},
    {"data.passive_ports", "\"1024-65535\"",
        [](const Config& c) { return c.data.first_port == 1024 && c.data.last_port == 65535; }},
    {"data.passive_ports", "\"6000-6000\"",
        [](const Config& c) { return c.data.first_port == 6000 && c.data.last_port == 6000; }},
    {"data.announce", "\"203.0.113.9\"", [](const Config& c) { return c.data.announce.address == "203.0.113.9"; }},
    {"data.announce", "\"ftp.example.org\"", [](const Config& c) { return c.data.announce.address == "ftp.example.org"; }},
    {"data.announce_for.clients", "\"10.0.0.0/9\"",
        [](const Config& c) { return first_announced(c).first == *Network::parse("10.0.0.0/9"); }},
    {"data.announce_for.address", "\"10.1.1.1\"",
        [](const Config& c) { return first_announced(c).second == "10.1.1.1"; }},
    {"data.peer", "\"same-network\"", [](const Config& c) { return c.data.peer == DataPeer::same_network; }},
    {"data.peer", "\"any\"", [](const Config& c) { return c.data.peer == DataPeer::any; },
        "[[listener]]\nsession_reuse = \"require\""},
    {"limits.sessions", "1000000", [](const Config& c) { return c.limits.sessions == 1000000; }},
    {"limits.sessions_per_client", "1", [](const Config& c) { return c.limits.sessions_per_client == 1; }},
    {"limits.startups", "\"10:30:100\"", [](const Config& c) { return c.limits.startups == Startups{10, 30, 100}; }},
    {"limits.startups", "\"5:0:5\"", [](const Config& c) { return c.limits.startups == Startups{5, 0, 5}; }},
    {"limits.connection_rate", "\"7/2m\"",
        [](const Config& c) { return c.limits.connection_rate == Rate{7, std::chrono::minutes(2)}; }},
    {"limits.waiting_commands", "1", [](const Config& c) { return c.limits.waiting_commands == 1; }},
    {"limits.line_bytes", "512", [](const Config& c) { return c.limits.line_bytes == 512; }},
    {"limits.reply_line_bytes", "0x400", [](const Config& c) { return c.limits.reply_line_bytes == 1024; }},
    {"limits.reply_bytes", "1_000_000", [](const Config& c) { return c.limits.reply_bytes == 1000000; }},
    {"limits.login_failures", "1", [](const Config& c) { return c.limits.login_failures == 1; }},
    {"limits.bad_commands", "1000", [](const Config& c) { return c.limits.bad_commands == 1000; }},
    {"timeouts.handshake", "1", [](const Config& c) { return c.timeouts.handshake == seconds(1); }},
    {"timeouts.login", "\"2m\"", [](const Config& c) { return c.timeouts.login == seconds(120); }},
    {"timeouts.idle", "\"300s\"", [](const Config& c) { return c.timeouts.idle == seconds(300); }},
    {"timeouts.server_connect", "\"3s\"", [](const Config& c) { return c.timeouts.server_connect == seconds(3); }},
    {"timeouts.server_greeting", "\"1h\"", [](const Config& c) { return c.timeouts.server_greeting == hours(1); }},
    {"timeouts.server_reply", "\"1d\"", [](const Config& c) { return c.timeouts.server_reply == hours(24); }},
    {"timeouts.server_end", "\"1d\"", [](const Config& c) { return c.timeouts.server_end == hours(24); }},
    {"timeouts.data_connection", "7", [](const Config& c) { return c.timeouts.data_connection == seconds(7); }},
    {"timeouts.data_stall", "8", [](const Config& c) { return c.timeouts.data_stall == seconds(8); }},
    {"timeouts.data_close", "9", [](const Config& c) { return c.timeouts.data_close == seconds(9); }},
    {"timeouts.drain", "0", [](const Config& c) { return c.timeouts.drain == seconds(0); }},
    {"timeouts.drain", "\"0s\"", [](const Config& c) { return c.timeouts.drain == seconds(0); }},
    {"timeouts.upgrade", "\"2m\"", [](const Config& c) { return c.timeouts.upgrade == seconds(120); }},
    {"timeouts.keepalive", "\"9h\"", [](const Config& c) { return c.timeouts.keepalive == hours(9); }},
    {"log.target", "\"journal\"", [](const Config& c) { return c.log.options.target == log::Target::journal; }},
    {"log.target", "\"syslog\"", [](const Config& c) { return c.log.options.target == log::Target::syslog; }},
    {"log.format", "\"json\"", [](const Config& c) { return c.log.options.format == log::Format::json; }},
    {"log.level", "\"debug\"", [](const Config& c) { return c.log.options.threshold == log::Level::debug; }},
    {"log.level", "\"error\"", [](const Config& c) { return c.log.options.threshold == log::Level::error; }},
    {"log.facility", "\"local7\"", [](const Config& c) { return c.log.options.syslog_facility == LOG_LOCAL7; }},
    {"log.xferlog", "\"/var/log/xferlog\"", [](const Config& c) { return c.log.xferlog == "/var/log/xferlog"; }},
    {"process.user", "\"nobody\"", [](const Config& c) { return c.process.user == "nobody"; }},
    {"process.chroot", "\"/empty\"", [](const Config& c) { return c.process.chroot == "/empty"; }},
    {"process.workers", "256", [](const Config& c) { return c.process.workers == 256; }},
    {"process.pid_file", "\"/run/x.pid\"", [](const Config& c) { return c.process.pid_file == "/run/x.pid"; }},
};

struct Bad {
    const char* path;
    const char* value;
    const char* message;
};

/// Beyond what every key refuses (see RefusesEveryOtherType).
const Bad kBad[] = {
    {"greeting", R"("two\nlines")", "must be a line of text"},
    {"greeting", R"("\u001b[2J")", "not \"\\x1b[2J\""},
    {"listener.address", "\"localhost\"", "IPv4 or IPv6 address"},
    {"listener.address", "\"192.0.2.1:21\"", "IPv4 or IPv6 address"},
    {"listener.address", "\"2001:db8::1%lo\"", "IPv4 or IPv6 address"},
    {"listener.address", "\"fe80::1\"", "with its interface"},
    {"server.address", "\"fe80::1%nowhere\"", "interface that is there"},
    {"listener.address", "\"224.0.0.1\"", "of one machine"},
    {"listener.port", "0", "from 1 to 65535, not 0"},
    {"listener.port", "65536", "not 65536"},
    {"listener.port", "-21", "not -21"},
    {"listener.port", "\"21\"", "not \"21\""},
    {"listener.port", "9223372036854775807", "from 1 to 65535"},
    {"listener.implicit_tls", "\"true\"", "true or false, without quotes"},
    {"listener.security", "\"Required\"", "one of \"required\", \"required-except-anonymous\", \"optional\", not \"Required\""},
    {"listener.data_security", "\"off\"", "one of \"required\", \"optional\""},
    {"listener.session_reuse", "true", "one of \"off\", \"prefer\", \"require\", not true"},
    {"listener.client_certificate", "\"required\"", "one of \"off\", \"request\", \"require\""},
    {"server.address", "\"0.0.0.0\"", "must name one machine"},
    {"server.port", "\"no-such-service-name\"", "tcp service in /etc/services"},
    {"server.port", "0", "from 1 to 65535"},
    {"server.command", "\"/usr/sbin/ftpd -l\"", "a list of texts"},
    {"server.command", "[\"in.ftpd\"]", "the program of \"command\" in [server] must be an absolute path"},
    {"server.command", "[\"/bin/ftpd\", 3]", "a list of texts in quotes, not 3"},
    {"server.command", "[]", "not an empty list"},
    {"server.command", R"(["/bin/ftpd", "a\u0000b"])", "a list of texts"},
    {"server.user", "\"ftp\"", "needs \"command\""},
    {"server.argv0", "\"ftpd\"", "needs \"command\""},
    {"server.directory", "\"/\"", "needs \"command\""},
    {"server.data_mode", "\"passive\"", "one of \"auto\", \"epsv\", \"pasv\", \"active\""},
    {"listener.daemon", "\"a b\"", "a name for the rules of hosts.allow"},
    {"listener.daemon", "\"351\"", "but no number"}, // would be a port there
    {"access.hosts_allow", "\"hosts.allow\"", "an absolute path"},
    {"access.hosts_allow", "\"/etc/hosts.deny\"", "are the same file"},
    {"access.reading", "\"lax\"", "one of \"safe\", \"strict\""},
    {"access.paranoid", "true", "one of \"rules\", \"always\""},
    {"access.daemon", "\"ftpd@host\"", "a name for the rules of hosts.allow"},
    {"access.daemon", "\"/usr/sbin/ftpd\"", "a name for the rules of hosts.allow"},
    {"access.daemon", "\".ftpd\"", "a name for the rules of hosts.allow"},
    {"access.daemon", "\"ftpd.\"", "a name for the rules of hosts.allow"},
    {"access.daemon", "\"all\"", "means nothing else"},
    {"access.lookup_time", "0", "a time from 1s to 5m"},
    {"access.ident_time", "\"6m\"", "a time from 1s to 5m"},
    {"access.cache_time", "\"2d\"", "a time from 0s to 1d"},
    {"access.refusal", "\"drop\"", "one of \"reply\", \"silent\", \"delay\""},
    {"access.refusal_delay", "0", "a time from 1s to 10m"},
    {"access.refusal_slots", "-1", "from 0 to 100000"},
    {"access.bad_table", "\"allow\"", "one of \"deny\", \"keep\""},
    {"tls.certificates.certificate", "\"ftp.pem\"", "an absolute path"},
    {"tls.certificates.key", "\"~/ftp.pem\"", "an absolute path"},
    {"tls.minimum_version", "1.2", "one of \"1.2\", \"1.3\", not a number with a fraction"},
    {"tls.minimum_version", "\"1.1\"", "one of \"1.2\", \"1.3\", not \"1.1\""},
    {"tls.ticket_lifetime", "\"8d\"", "a time from 1s to 7d"},
    {"tls.ticket_lifetime", "0", "a time from 1s to 7d"},
    {"data.passive_ports", "\"50999-50000\"", "begins with its lower port (\"50000-50999\")"},
    {"data.passive_ports", "\"1023-2000\"", "privileged ports below 1024"},
    {"data.passive_ports", "\"50000-70000\"", "up to 65535"},
    {"data.passive_ports", "\"50000 - 50999\"", "two port numbers"},
    {"data.passive_ports", "\"-1-50999\"", "two port numbers"},
    {"data.passive_ports", "\"50000-\"", "two port numbers"},
    {"data.passive_ports", "50000", "as \"50000-50999\""},
    {"data.announce", "\"2001:db8::1\"", "no IPv6"},
    {"data.announce", "\"203.0.113\"", "the IPv4 address or the host name"},
    {"data.announce", "\"ftp_example.org\"", "the IPv4 address or the host name"},
    {"data.announce", "\"-x.example.org\"", "the IPv4 address or the host name"},
    {"data.announce", "\"example..org\"", "the IPv4 address or the host name"},
    {"data.announce", "\"0.0.0.0\"", "the IPv4 address or the host name"},
    {"data.announce_for.clients", "\"10.0.0.0/33\"", "a network or an address"},
    {"data.announce_for.address", "\"fe80::1\"", "no IPv6"},
    {"data.peer", "\"any\"", "dangerous"},
    {"limits.sessions", "0", "from 1 to 1000000, not 0"},
    {"limits.sessions_per_client", "-1", "from 1 to 1000000"},
    {"server.line_bytes", "63", "from 64 to 65536"},
    {"limits.startups", "100", "as \"500:30:1000\", not 100"},
    {"limits.startups", "\"10:30\"", "as \"500:30:1000\""},
    {"limits.startups", "\"10:30:9\"", "as \"500:30:1000\""},
    {"limits.startups", "\"0:30:9\"", "as \"500:30:1000\""},
    {"limits.startups", "\"1:101:9\"", "as \"500:30:1000\""},
    {"limits.startups", "\"1::9\"", "as \"500:30:1000\""},
    {"limits.startups", "\"1:-1:9\"", "as \"500:30:1000\""},
    {"limits.connection_rate", "120", "as \"120/1m\", not 120"},
    {"limits.connection_rate", "\"120\"", "as \"120/1m\""},
    {"limits.connection_rate", "\"0/1m\"", "1 to 1000000 in 1s to 1h"},
    {"limits.connection_rate", "\"1/0s\"", "1 to 1000000 in 1s to 1h"},
    {"limits.connection_rate", "\"1/2h\"", "1 to 1000000 in 1s to 1h"},
    {"limits.connection_rate", "\"/1m\"", "as \"120/1m\""},
    {"limits.line_bytes", "511", "from 512 to 65536"},
    {"limits.reply_bytes", "65535", "from 65536"},
    {"timeouts.handshake", "0", "a time from 1s to 10m"},
    {"timeouts.idle", "\"0s\"", "a time from 1s to 7d"},
    {"timeouts.idle", "\"15\"", "a time"},
    {"timeouts.idle", "\"15 m\"", "a time"},
    {"timeouts.idle", "\"15M\"", "a time"},
    {"timeouts.idle", "\"m\"", "a time"},
    {"timeouts.idle", "\"-5m\"", "a time"},
    {"timeouts.idle", "\"+5m\"", "a time"},
    {"timeouts.idle", "\"99999999999999999999d\"", "a time"},
    {"timeouts.idle", "15.5", "a time"},
    {"timeouts.drain", "-1", "a time from 0s"},
    {"timeouts.keepalive", "\"10h\"", "to 9h"},
    {"log.target", "\"file\"", "one of \"stderr\", \"journal\", \"syslog\""},
    {"log.level", "\"warn\"", "\"warning\""},
    {"log.facility", "\"kern\"", "\"local7\", not \"kern\""},
    {"process.chroot", "\"empty\"", "an absolute path"},
    {"process.workers", "257", "from 0 to 256"},
};

TEST(Keys, EveryKeyTakesItsGoodValues)
{
    for (const Good& good : kGood) {
        const std::string file = file_with(good.path, good.value, good.rest);
        const Loaded loaded = parse(file, "good.toml");
        EXPECT_TRUE(loaded.problems.empty()) << file << to_string(loaded.problems);
        EXPECT_TRUE(good.holds(loaded.config)) << file;
        EXPECT_EQ(loaded.config.listeners.size(), 1u) << file;
    }
}

TEST(Keys, GoodValuesDifferFromTheDefaultsSoThatTheyProveSomething)
{
    std::set<std::string> proved;
    for (const Good& good : kGood)
        if (!good.holds(parse("[[listener]]\n", "").config))
            proved.insert(good.path);
    for (const std::string& key : known_keys())
        EXPECT_TRUE(proved.contains(key)) << key;
}

TEST(Keys, BadValuesAreRefusedWithWhatIsWanted)
{
    for (const Bad& bad : kBad) {
        const std::string file = file_with(bad.path, bad.value);
        const Loaded loaded = parse(file, "bad.toml");
        ASSERT_EQ(loaded.problems.size(), 1u) << file << to_string(loaded.problems);
        EXPECT_EQ(loaded.problems[0].severity, Problem::Severity::error) << file;
        EXPECT_EQ(loaded.problems[0].line, std::string_view(bad.path) == "greeting" ? 1u : 2u) << file;
        EXPECT_NE(loaded.problems[0].text.find(bad.message), std::string::npos) << file << loaded.problems[0].to_string();
        EXPECT_FALSE(loaded.is_usable()) << file;
    }
}

TEST(Keys, RefusesEveryOtherType)
{
    for (const std::string& key : known_keys()) {
        const std::string last = "\"" + key.substr(key.rfind('.') + 1) + "\"";
        for (const char* value : {"1979-05-27", "07:32:00", "nan", "\"\"", "{ a = 1 }", "[[1]]", "[[[[1]]]]"}) {
            const std::string file = file_with(key, value);
            const Loaded loaded = parse(file, "bad.toml");
            ASSERT_FALSE(loaded.is_usable()) << file;
            EXPECT_TRUE(has_problem(loaded.problems, Problem::Severity::error, last)) << file << to_string(loaded.problems);
            EXPECT_TRUE(has_problem(loaded.problems, Problem::Severity::error, "must be ")) << file;
        }
    }
}

TEST(Keys, RefusedValuesLeaveTheDefault)
{
    const Loaded loaded = parse("[timeouts]\nidle = 0\nlogin = 10\n[[listener]]\nport = 0\n", "x");
    EXPECT_EQ(loaded.config.timeouts.idle, Timeouts{}.idle);
    EXPECT_EQ(loaded.config.timeouts.login, seconds(10));
    EXPECT_EQ(loaded.config.listeners.at(0), Listener{});
}

TEST(Keys, AnEmptyFileIsTheDefaultConfigurationWithOneListener)
{
    Config expected;
    expected.listeners.emplace_back();
    if (const servent* entry = ::getservbyname("raw-ftp", "tcp"))
        expected.server.port = ntohs(static_cast<std::uint16_t>(entry->s_port));
    constexpr const char* kEmptySections = "[server]\n[access]\n[tls]\n[data]\n[limits]\n[timeouts]\n[log]\n[process]\n";
    for (const char* text : {"", "\n", "# only a comment", kEmptySections}) {
        const Loaded loaded = parse(text, "empty.toml");
        EXPECT_TRUE(loaded.problems.empty()) << text;
        EXPECT_TRUE(loaded.config == expected) << text;
    }
}

TEST(Keys, WhatTheAccessKeysMustNotSayTogether)
{
    const Loaded kept = parse("[access]\nreading = \"strict\"\nbad_table = \"keep\"\n", "x");
    EXPECT_TRUE(has_problem(kept.problems, Problem::Severity::error, "needs reading = \"safe\"")) << to_string(kept.problems);
    const Loaded slow = parse("[access]\nlookup_time = 30\n[timeouts]\nlogin = 30\n", "x");
    EXPECT_TRUE(has_problem(slow.problems, Problem::Severity::warning, "leaves no time to log in")) << to_string(slow.problems);
    EXPECT_TRUE(slow.is_usable());
    EXPECT_TRUE(parse("[access]\nlookup_time = 29\n[timeouts]\nlogin = 30\n", "x").problems.empty());
}

TEST(Keys, LinesAreKept)
{
    const Loaded loaded = parse("greeting = \"x\"\n\n[[listener]]\nport = 1\n\n[[listener]]\n\nport = 2\n"
                                "[data]\npeer = \"same-network\"\n", "x");
    EXPECT_EQ(loaded.lines.at("greeting"), 1u);
    EXPECT_EQ(loaded.lines.at("listener[0].port"), 4u);
    EXPECT_EQ(loaded.lines.at("listener[1]"), 6u);
    EXPECT_EQ(loaded.lines.at("listener[1].port"), 8u);
    EXPECT_EQ(loaded.lines.at("data.peer"), 10u);
    EXPECT_FALSE(loaded.lines.contains("data.announce"));
}

TEST(Keys, ProblemsReadLikeACompilersMessages)
{
    const Loaded loaded = parse("\nlisener = 1\n", "safetpd.toml");
    ASSERT_EQ(loaded.problems.size(), 1u);
    EXPECT_EQ(loaded.problems[0].to_string(),
        "safetpd.toml:2: error: unknown key \"lisener\" in the top level: did you mean \"listener\"?");
    EXPECT_EQ((Problem{Problem::Severity::warning, "a", 0, "b"}.to_string()), "a: warning: b");
}

} // namespace
} // namespace safetp::config
