#include "config/keys.h"

#include "config/suggest.h"
#include "config/values.h"

#include <algorithm>
#include <fmt/format.h>
#include <syslog.h>

namespace safetp::config {

namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr seconds kOneSecond{1};

/// One key of the section S. `inner` lists the keys of the table that is its value, if it is one.
template <typename S>
struct Key {
    std::string_view name;
    void (*read)(const Slot& slot, S& section);
    std::vector<std::string> (*inner)() = nullptr;
};

/// The names of a table's keys; of one whose value is a table, "name.INNER" for each of its own.
template <const auto& keys>
std::vector<std::string> names_in()
{
    std::vector<std::string> names;
    for (const auto& key : keys) {
        if (!key.inner)
            names.emplace_back(key.name);
        else
            for (const std::string& name : key.inner())
                names.push_back(fmt::format("{}.{}", key.name, name));
    }
    return names;
}

/// Which table is being read.
struct Place {
    std::string path;    ///< as in KeyLines: "listener[0]"
    std::string section; ///< as in known_keys: "listener"
    std::string label;   ///< for people: "[[listener]]"
};

template <typename S, std::size_t count>
void read_table(const Node& table, const Place& place, const Key<S> (&keys)[count], S& out, Report& report)
{
    for (const Node& node : table.items) {
        const auto key = std::ranges::find(keys, std::string_view(node.key), &Key<S>::name);
        if (key == std::end(keys)) {
            const std::string hint = suggest(node.key, place.section, report.keys());
            report.error(node.line, fmt::format("unknown key {} in {}{}", in_quotes(node.key), place.label, hint));
            continue;
        }
        const std::string path = place.path.empty() ? node.key : place.path + "." + node.key;
        report.note_key(path, node.line);
        key->read(Slot{node, path, fmt::format("{} in {}", in_quotes(node.key), place.label), report}, out);
    }
}

template <typename S, std::size_t count>
void read_section(const Slot& slot, const Key<S> (&keys)[count], S& out)
{
    const std::string label = "[" + slot.node.key + "]";
    if (slot.node.kind != Node::Kind::table)
        return slot.report.error(slot.node.line, fmt::format("\"{}\" is a section of its own: write {}", slot.node.key, label));
    read_table(slot.node, {slot.path, slot.path, label}, keys, out, slot.report);
}

/// A list of tables, each read into a new element of `out`. `required` are keys that each of them must have.
template <typename S, std::size_t count>
void read_tables(const Slot& slot, const std::string& label, const Key<S> (&keys)[count],
    std::initializer_list<std::string_view> required, std::string_view form, std::vector<S>& out)
{
    if (slot.node.kind != Node::Kind::list || slot.node.items.empty())
        return slot.refuse(form);
    for (std::size_t i = 0; i < slot.node.items.size(); ++i) {
        const Node& item = slot.node.items[i];
        const Place place{fmt::format("{}[{}]", slot.path, i), slot.path, label};
        if (item.kind != Node::Kind::table)
            return slot.refuse(form);
        slot.report.note_key(place.path, item.line);
        read_table(item, place, keys, out.emplace_back(), slot.report);
        for (const std::string_view key : required)
            if (!slot.report.is_given(fmt::format("{}.{}", place.path, key)))
                slot.report.error(item.line, fmt::format("\"{}\" is missing in {}", key, label));
    }
}

constexpr Choice<Security> kSecurities[] = {{"required", Security::required},
    {"required-except-anonymous", Security::required_except_anonymous}, {"optional", Security::optional}};
constexpr Choice<DataSecurity> kDataSecurities[] = {{"required", DataSecurity::required}, {"optional", DataSecurity::optional}};
constexpr Choice<DataKeyExchange> kDataKeyExchanges[]
    = {{"session", DataKeyExchange::session}, {"each", DataKeyExchange::each}};
constexpr Choice<SessionReuse> kSessionReuses[]
    = {{"off", SessionReuse::off}, {"prefer", SessionReuse::prefer}, {"require", SessionReuse::require}};
constexpr Choice<ClientCertificate> kClientCertificates[]
    = {{"off", ClientCertificate::off}, {"request", ClientCertificate::request}, {"require", ClientCertificate::require}};
constexpr Choice<DataPeer> kDataPeers[]
    = {{"same-address", DataPeer::same_address}, {"same-network", DataPeer::same_network}, {"any", DataPeer::any}};
constexpr Choice<ServerDataMode> kDataModes[] = {{"auto", ServerDataMode::automatic}, {"epsv", ServerDataMode::epsv},
    {"pasv", ServerDataMode::pasv}, {"active", ServerDataMode::active}};
constexpr Choice<AccessReading> kReadings[] = {{"safe", AccessReading::safe}, {"strict", AccessReading::strict}};
constexpr Choice<Paranoid> kParanoids[] = {{"rules", Paranoid::rules}, {"always", Paranoid::always}};
constexpr Choice<Refusal> kRefusals[] = {{"reply", Refusal::reply}, {"silent", Refusal::silent}, {"delay", Refusal::delay}};
constexpr Choice<BadTable> kBadTables[] = {{"deny", BadTable::deny}, {"keep", BadTable::keep}};
constexpr Choice<std::string_view> kVersions[] = {{"1.2", "1.2"}, {"1.3", "1.3"}};
constexpr Choice<log::Target> kTargets[]
    = {{"stderr", log::Target::standard_error}, {"journal", log::Target::journal}, {"syslog", log::Target::syslog}};
constexpr Choice<log::Format> kFormats[] = {{"text", log::Format::text}, {"json", log::Format::json}};
constexpr Choice<log::Level> kLevels[] = {{"debug", log::Level::debug}, {"info", log::Level::info},
    {"notice", log::Level::notice}, {"warning", log::Level::warning}, {"error", log::Level::error}};
constexpr Choice<int> kFacilities[] = {{"ftp", 0}, // log::Options' way to say LOG_FTP
    {"daemon", LOG_DAEMON}, {"auth", LOG_AUTH}, {"authpriv", LOG_AUTHPRIV}, {"user", LOG_USER}, {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}};

constexpr Key<Listener> kListenerKeys[] = {
    {"address", [](const Slot& at, Listener& to) { read_address(at, to.address); }},
    {"port", [](const Slot& at, Listener& to) { read_port(at, to.port); }},
    {"implicit_tls", [](const Slot& at, Listener& to) { read_bool(at, to.implicit_tls); }},
    {"security", [](const Slot& at, Listener& to) { read_choice(at, kSecurities, to.security); }},
    {"data_security", [](const Slot& at, Listener& to) { read_choice(at, kDataSecurities, to.data_security); }},
    {"session_reuse", [](const Slot& at, Listener& to) { read_choice(at, kSessionReuses, to.session_reuse); }},
    {"client_certificate", [](const Slot& at, Listener& to) { read_choice(at, kClientCertificates, to.client_certificate); }},
    {"allow_ccc", [](const Slot& at, Listener& to) { read_bool(at, to.allow_ccc); }},
    {"daemon", [](const Slot& at, Listener& to) { read_daemon_name(at, to.daemon); }},
};

constexpr Key<Server> kServerKeys[] = {
    {"address", [](const Slot& at, Server& to) { read_address(at, to.address); }},
    {"port", [](const Slot& at, Server& to) { read_service(at, to.port); }},
    {"command", [](const Slot& at, Server& to) { read_command(at, to.command); }},
    {"argv0", [](const Slot& at, Server& to) { read_text(at, to.argv0); }},
    {"user", [](const Slot& at, Server& to) { read_text(at, to.user); }},
    {"directory", [](const Slot& at, Server& to) { read_path(at, to.directory); }},
    {"data_mode", [](const Slot& at, Server& to) { read_choice(at, kDataModes, to.data_mode); }},
    {"line_bytes", [](const Slot& at, Server& to) { read_number(at, 64, 65'536, to.line_bytes); }},
};

constexpr Key<Access> kAccessKeys[] = {
    {"enabled", [](const Slot& at, Access& to) { read_bool(at, to.enabled); }},
    {"hosts_allow", [](const Slot& at, Access& to) { read_path(at, to.hosts_allow); }},
    {"hosts_deny", [](const Slot& at, Access& to) { read_path(at, to.hosts_deny); }},
    {"reading", [](const Slot& at, Access& to) { read_choice(at, kReadings, to.reading); }},
    {"paranoid", [](const Slot& at, Access& to) { read_choice(at, kParanoids, to.paranoid); }},
    {"daemon", [](const Slot& at, Access& to) { read_daemon_name(at, to.daemon); }},
    {"lookup_time", [](const Slot& at, Access& to) { read_time(at, kOneSecond, minutes(5), to.lookup_time); }},
    {"ident_time", [](const Slot& at, Access& to) { read_time(at, kOneSecond, minutes(5), to.ident_time); }},
    {"cache_time", [](const Slot& at, Access& to) { read_time(at, seconds(0), hours(24), to.cache_time); }},
    {"refusal", [](const Slot& at, Access& to) { read_choice(at, kRefusals, to.refusal); }},
    {"refusal_delay", [](const Slot& at, Access& to) { read_time(at, kOneSecond, minutes(10), to.refusal_delay); }},
    {"refusal_slots", [](const Slot& at, Access& to) { read_number(at, 0, 100'000, to.refusal_slots); }},
    {"bad_table", [](const Slot& at, Access& to) { read_choice(at, kBadTables, to.bad_table); }},
    {"commands", [](const Slot& at, Access& to) { read_bool(at, to.commands); }},
    {"command_user", [](const Slot& at, Access& to) { read_text(at, to.command_user); }},
};

constexpr Key<CertificateFiles> kCertificateKeys[] = {
    {"certificate", [](const Slot& at, CertificateFiles& to) { read_path(at, to.certificate); }},
    {"key", [](const Slot& at, CertificateFiles& to) { read_path(at, to.key); }},
};

void read_certificates(const Slot& slot, Tls& tls)
{
    read_tables(slot, "\"certificates\" in [tls]", kCertificateKeys, {"certificate"},
        "a list of tables, as [{ certificate = \"/etc/ssl/ftp.pem\", key = \"/etc/ssl/private/ftp.pem\" }]", tls.certificates);
}

void read_minimum_version(const Slot& slot, Tls& tls)
{
    std::string_view version = tls.minimum_version;
    read_choice(slot, kVersions, version);
    tls.minimum_version = version == "1.3" ? "1.3" : "1.2";
}

constexpr Key<Tls> kTlsKeys[] = {
    {"certificates", read_certificates, names_in<kCertificateKeys>},
    {"key_directory", [](const Slot& at, Tls& to) { read_path(at, to.key_directory); }},
    {"minimum_version", read_minimum_version},
    {"ciphers", [](const Slot& at, Tls& to) { read_text(at, to.ciphers); }},
    {"ciphersuites", [](const Slot& at, Tls& to) { read_text(at, to.ciphersuites); }},
    {"client_ca", [](const Slot& at, Tls& to) { read_path(at, to.client_ca); }},
    {"client_crl", [](const Slot& at, Tls& to) { read_path(at, to.client_crl); }},
    {"refuse_unknown_names", [](const Slot& at, Tls& to) { read_bool(at, to.refuse_unknown_names); }},
    {"ticket_lifetime", // seven days is the most that RFC 8446 4.6.1 lets a ticket say
        [](const Slot& at, Tls& to) { read_time(at, seconds(1), hours(7 * 24), to.ticket_lifetime); }},
    {"data_key_exchange", [](const Slot& at, Tls& to) { read_choice(at, kDataKeyExchanges, to.data_key_exchange); }},
};

using AnnounceFor = std::pair<Network, std::string>;

constexpr Key<AnnounceFor> kAnnounceForKeys[] = {
    {"clients", [](const Slot& at, AnnounceFor& to) { read_network(at, to.first); }},
    {"address", [](const Slot& at, AnnounceFor& to) { read_announced(at, to.second); }},
};

void read_announce_for(const Slot& slot, Data& data)
{
    read_tables(slot, "\"announce_for\" in [data]", kAnnounceForKeys, {"clients", "address"},
        "a list of tables, as [{ clients = \"10.0.0.0/8\", address = \"10.1.1.1\" }]", data.announce.for_clients);
}

constexpr Key<Data> kDataKeys[] = {
    {"passive_ports", [](const Slot& at, Data& to) { read_port_range(at, to.first_port, to.last_port); }},
    {"announce", [](const Slot& at, Data& to) { read_announced(at, to.announce.address); }},
    {"announce_for", read_announce_for, names_in<kAnnounceForKeys>},
    {"peer", [](const Slot& at, Data& to) { read_choice(at, kDataPeers, to.peer); }},
};

constexpr Key<Limits> kLimitKeys[] = {
    {"sessions", [](const Slot& at, Limits& to) { read_number(at, 1, 1'000'000, to.sessions); }},
    {"sessions_per_client", [](const Slot& at, Limits& to) { read_number(at, 1, 1'000'000, to.sessions_per_client); }},
    {"startups", [](const Slot& at, Limits& to) { read_startups(at, to.startups); }},
    {"connection_rate", [](const Slot& at, Limits& to) { read_rate(at, 1'000'000, hours(1), to.connection_rate); }},
    {"waiting_commands", [](const Slot& at, Limits& to) { read_number(at, 1, 10'000, to.waiting_commands); }},
    {"line_bytes", [](const Slot& at, Limits& to) { read_number(at, 512, 65'536, to.line_bytes); }},
    {"reply_line_bytes", [](const Slot& at, Limits& to) { read_number(at, 512, 1 << 20, to.reply_line_bytes); }},
    {"reply_bytes", [](const Slot& at, Limits& to) { read_number(at, 65'536, 1 << 30, to.reply_bytes); }},
    {"login_failures", [](const Slot& at, Limits& to) { read_number(at, 1, 1000, to.login_failures); }},
    {"bad_commands", [](const Slot& at, Limits& to) { read_number(at, 1, 1000, to.bad_commands); }},
};

constexpr Key<Timeouts> kTimeoutKeys[] = {
    {"handshake", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, minutes(10), to.handshake); }},
    {"login", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(1), to.login); }},
    {"idle", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(7 * 24), to.idle); }},
    {"server_connect", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, minutes(10), to.server_connect); }},
    {"server_greeting", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(1), to.server_greeting); }},
    {"server_reply", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(24), to.server_reply); }},
    {"server_end", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(24), to.server_end); }},
    {"data_connection", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(1), to.data_connection); }},
    {"data_stall", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(24), to.data_stall); }},
    {"data_close", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, minutes(10), to.data_close); }},
    {"drain", [](const Slot& at, Timeouts& to) { read_time(at, seconds(0), hours(7 * 24), to.drain); }},
    {"upgrade", [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(1), to.upgrade); }},
    {"keepalive", // up to the hours that tcp(7) takes for TCP_KEEPIDLE
        [](const Slot& at, Timeouts& to) { read_time(at, kOneSecond, hours(9), to.keepalive); }},
};

constexpr Key<Log> kLogKeys[] = {
    {"target", [](const Slot& at, Log& to) { read_choice(at, kTargets, to.options.target); }},
    {"format", [](const Slot& at, Log& to) { read_choice(at, kFormats, to.options.format); }},
    {"level", [](const Slot& at, Log& to) { read_choice(at, kLevels, to.options.threshold); }},
    {"facility", [](const Slot& at, Log& to) { read_choice(at, kFacilities, to.options.syslog_facility); }},
    {"xferlog", [](const Slot& at, Log& to) { read_path(at, to.xferlog); }},
};

constexpr Key<Process> kProcessKeys[] = {
    {"user", [](const Slot& at, Process& to) { read_text(at, to.user); }},
    {"chroot", [](const Slot& at, Process& to) { read_path(at, to.chroot); }},
    {"workers", [](const Slot& at, Process& to) { read_number(at, 0, 256, to.workers); }},
    {"pid_file", [](const Slot& at, Process& to) { read_path(at, to.pid_file); }},
};

void read_listeners(const Slot& slot, Config& config)
{
    read_tables(slot, "[[listener]]", kListenerKeys, {},
        "a section in double brackets, [[listener]]: there may be several of it", config.listeners);
}

constexpr Key<Config> kTopKeys[] = {
    {"greeting", [](const Slot& at, Config& to) { read_text(at, to.greeting); }},
    {"listener", read_listeners, names_in<kListenerKeys>},
    {"server", [](const Slot& at, Config& to) { read_section(at, kServerKeys, to.server); }, names_in<kServerKeys>},
    {"access", [](const Slot& at, Config& to) { read_section(at, kAccessKeys, to.access); }, names_in<kAccessKeys>},
    {"tls", [](const Slot& at, Config& to) { read_section(at, kTlsKeys, to.tls); }, names_in<kTlsKeys>},
    {"data", [](const Slot& at, Config& to) { read_section(at, kDataKeys, to.data); }, names_in<kDataKeys>},
    {"limits", [](const Slot& at, Config& to) { read_section(at, kLimitKeys, to.limits); }, names_in<kLimitKeys>},
    {"timeouts", [](const Slot& at, Config& to) { read_section(at, kTimeoutKeys, to.timeouts); }, names_in<kTimeoutKeys>},
    {"log", [](const Slot& at, Config& to) { read_section(at, kLogKeys, to.log); }, names_in<kLogKeys>},
    {"process", [](const Slot& at, Config& to) { read_section(at, kProcessKeys, to.process); }, names_in<kProcessKeys>},
};

// ---- safetp.toml

constexpr Choice<ServerTls> kServerTls[] = {{"require", ServerTls::require}, {"prefer", ServerTls::prefer}};
constexpr Choice<TrustedBy> kTrustedBy[]
    = {{"pin", TrustedBy::pin}, {"ca", TrustedBy::authorities}, {"ca+pin", TrustedBy::both}};

template <typename T, std::size_t count>
void read_optional_choice(const Slot& slot, const Choice<T> (&choices)[count], std::optional<T>& out)
{
    T value = out.value_or(choices[0].value);
    read_choice(slot, choices, value);
    out = value;
}

void read_optional_bool(const Slot& slot, std::optional<bool>& out)
{
    bool value = out.value_or(false);
    read_bool(slot, value);
    out = value;
}

void read_pins(const Slot& slot, std::vector<std::string>& out)
{
    if (slot.node.kind != Node::Kind::list || slot.node.items.empty())
        return slot.refuse("a list of fingerprints, as [\"SHA256:...\"]: see safetp pin show");
    for (const Node& item : slot.node.items)
        read_text(Slot{item, slot.path, slot.name, slot.report}, out.emplace_back());
}

/// The keys that stand both in a [[server]] and at the top, for servers without one.
template <typename S, ServerChoices S::*choices>
constexpr std::array<Key<S>, 8> choice_keys()
{
    return {{
        {"implicit_tls", [](const Slot& at, S& to) { read_optional_bool(at, (to.*choices).implicit_tls); }},
        {"security", [](const Slot& at, S& to) { read_optional_choice(at, kServerTls, (to.*choices).security); }},
        {"trust", [](const Slot& at, S& to) { read_optional_choice(at, kTrustedBy, (to.*choices).trust); }},
        {"refuse_unknown", [](const Slot& at, S& to) { read_optional_bool(at, (to.*choices).refuse_unknown); }},
        {"pin", [](const Slot& at, S& to) { read_pins(at, (to.*choices).pins); }},
        {"certificate", [](const Slot& at, S& to) { read_path(at, (to.*choices).certificate.certificate); }},
        {"key", [](const Slot& at, S& to) { read_path(at, (to.*choices).certificate.key); }},
        {"unsafe_missing_close_notify",
            [](const Slot& at, S& to) { read_optional_bool(at, (to.*choices).unsafe_missing_close_notify); }},
    }};
}
constexpr auto kServerChoices = choice_keys<RemoteServer, &RemoteServer::choices>();
constexpr auto kOtherChoices = choice_keys<ClientConfig, &ClientConfig::others>();

constexpr Key<RemoteServer> kRemoteServerKeys[] = {
    {"host", [](const Slot& at, RemoteServer& to) { read_text(at, to.host); }},
    {"port", [](const Slot& at, RemoteServer& to) { read_service(at, to.port); }},
    kServerChoices[0], kServerChoices[1], kServerChoices[2], kServerChoices[3], kServerChoices[4], kServerChoices[5],
    kServerChoices[6], kServerChoices[7],
};

void read_remote_servers(const Slot& slot, ClientConfig& config)
{
    read_tables(slot, "[[server]]", kRemoteServerKeys, {"host"},
        "a section in double brackets, [[server]]: there may be several of it", config.servers);
}

void read_client_minimum(const Slot& slot, ClientConfig& config)
{
    std::string_view version = config.minimum_tls;
    read_choice(slot, kVersions, version);
    config.minimum_tls = version == "1.3" ? "1.3" : "1.2";
}

constexpr Key<ClientConfig> kClientKeys[] = {
    // There is no pin for all servers, nor a danger.
    kOtherChoices[0], kOtherChoices[1], kOtherChoices[2], kOtherChoices[3], kOtherChoices[5], kOtherChoices[6],
    {"authorities", [](const Slot& at, ClientConfig& to) { read_path(at, to.authorities); }},
    {"minimum_tls", read_client_minimum},
    {"known_servers", [](const Slot& at, ClientConfig& to) { read_path(at, to.known_servers); }},
    {"server", read_remote_servers, names_in<kRemoteServerKeys>},
    {"limits", [](const Slot& at, ClientConfig& to) { read_section(at, kLimitKeys, to.limits); }, names_in<kLimitKeys>},
    {"timeouts", [](const Slot& at, ClientConfig& to) { read_section(at, kTimeoutKeys, to.timeouts); }, names_in<kTimeoutKeys>},
    {"log", [](const Slot& at, ClientConfig& to) { read_section(at, kLogKeys, to.log); }, names_in<kLogKeys>},
};

} // namespace

std::vector<std::string> known_keys() { return names_in<kTopKeys>(); }

void read_config(const Node& root, Config& config, Report& report)
{
    config.server.port = find_service_port("raw-ftp").value_or(config.server.port);
    read_table(root, {"", "", "the top level"}, kTopKeys, config, report);
    if (config.listeners.empty())
        config.listeners.emplace_back();
}

std::vector<std::string> known_client_keys() { return names_in<kClientKeys>(); }

void read_client_config(const Node& root, ClientConfig& config, Report& report)
{
    report.use_keys(known_client_keys);
    read_table(root, {"", "", "the top level"}, kClientKeys, config, report);
    for (std::size_t i = 0; i < config.servers.size(); ++i) {
        const bool is_given = report.is_given(fmt::format("server[{}].port", i));
        if (!is_given && config.servers[i].choices.implicit_tls.value_or(false))
            config.servers[i].port = 990;
    }
}

} // namespace safetp::config
