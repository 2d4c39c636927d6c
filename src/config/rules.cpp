#include "config/keys.h"

#include <fmt/format.h>

namespace safetp::config {

namespace {

constexpr seconds kLeastIdle{300}; // RFC 1123 4.1.3.2

std::string path_of(std::size_t listener, std::string_view key) { return fmt::format("listener[{}].{}", listener, key); }

/// The line of a listener's key, else of the listener.
unsigned line_of(const Report& report, std::size_t listener, std::string_view key)
{
    const unsigned line = report.line_of(path_of(listener, key));
    return line != 0 ? line : report.line_of(fmt::format("listener[{}]", listener));
}

bool is_any(const std::optional<IpAddress>& address) { return !address || address->is_unspecified(); }

/// Would the second bind(2) fail, or the two share their clients by chance? A wildcard and one of its addresses may stand
/// together: the more specific one gets its own.
bool do_collide(const Listener& first, const Listener& second)
{
    if (first.port != second.port)
        return false;
    if (!first.address || !second.address)
        return is_any(first.address) && is_any(second.address);
    return first.address == second.address;
}

/// False where the default stands in for what was refused: to compare that with anything would mislead.
bool is_place_known(const Report& report, std::size_t listener)
{
    return !report.is_refused(path_of(listener, "port")) && !report.is_refused(path_of(listener, "address"));
}

void check_places(const Config& config, Report& report)
{
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        const Listener& listener = config.listeners[i];
        if (!is_place_known(report, i))
            continue;
        for (std::size_t other = 0; other < i; ++other)
            if (is_place_known(report, other) && do_collide(config.listeners[other], listener))
                report.error(line_of(report, i, "port"),
                    fmt::format("two listeners on the same address and port {}: the other one stands in line {}", listener.port,
                        line_of(report, other, "port")));
        if (listener.port >= config.data.first_port && listener.port <= config.data.last_port
            && !report.is_refused("data.passive_ports"))
            report.error(line_of(report, i, "port"),
                fmt::format("port {} of [[listener]] lies inside \"passive_ports\" in [data], {}-{}: move one of them",
                    listener.port, config.data.first_port, config.data.last_port));
    }
}

void check_listeners(const Config& config, Report& report)
{
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        const Listener& listener = config.listeners[i];
        if (listener.client_certificate != ClientCertificate::off && !report.is_given("tls.client_ca"))
            report.error(line_of(report, i, "client_certificate"),
                "\"client_certificate\" asks for certificates, but \"client_ca\" in [tls] does not say who may sign them");
        if (listener.implicit_tls && listener.security != Security::required)
            report.error(line_of(report, i, "security"),
                "\"implicit_tls\" begins with TLS always: \"security\" can only be \"required\" there");
    }
}

void check_tls(Report& report)
{
    if (report.is_given("tls.client_crl") && !report.is_given("tls.client_ca"))
        report.error(report.line_of("tls.client_crl"),
            "\"client_crl\" in [tls] says whose certificates are revoked, but \"client_ca\" does not say who may sign them");
}

void check_server(const Config& config, Report& report)
{
    const Server& server = config.server;
    if (report.is_given("server.command")) {
        for (const std::string_view key : {"address", "port"})
            if (const unsigned line = report.line_of(fmt::format("server.{}", key)))
                report.error(line,
                    fmt::format("both \"command\" and \"{}\" in [server]: a raw ftpd is either started or connected to", key));
        return;
    }
    for (const std::string_view key : {"argv0", "user", "directory"})
        if (const unsigned line = report.line_of(fmt::format("server.{}", key)))
            report.error(line, fmt::format("\"{}\" in [server] needs \"command\": it says how the raw ftpd is started", key));
    if (is_any(server.address) && server.address)
        report.error(report.line_of("server.address"), "\"address\" in [server] must name one machine; leave the key out for "
                                                       "the local address that the client reached");
}

/// safetpd that connects to itself would take its own greeting for the raw ftpd's, session upon session.
void check_loop(const Config& config, Report& report)
{
    const Server& server = config.server;
    if (report.is_given("server.command") || report.is_refused("server.address") || report.is_refused("server.port"))
        return;
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        const Listener& listener = config.listeners[i];
        const bool is_reached = is_any(server.address) || listener.address == server.address
            || (is_any(listener.address) && server.address->is_loopback());
        if (listener.port == server.port && is_reached && is_place_known(report, i))
            report.error(line_of(report, i, "port"),
                fmt::format("safetpd would connect to itself: [[listener]] and [server] both have port {}", listener.port));
    }
}

/// With peer = "any" nothing but the bound TLS session says whose data connection it is: a session in clear, or a data
/// connection in clear, could be taken over by whoever comes first.
void check_data_peer(const Config& config, Report& report)
{
    if (config.data.peer != DataPeer::any)
        return;
    for (const Listener& listener : config.listeners) {
        const bool is_bound = listener.session_reuse == SessionReuse::require && listener.security == Security::required
            && listener.data_security == DataSecurity::required;
        if (is_bound)
            continue;
        report.error(report.line_of("data.peer"),
            "peer = \"any\" in [data] is dangerous: anybody could take a client's data connection. Every [[listener]] then "
            "needs session_reuse = \"require\", security = \"required\" and data_security = \"required\"");
        return;
    }
}

void check_announce_for(const Config& config, Report& report)
{
    const auto& entries = config.data.announce.for_clients;
    for (std::size_t i = 0; i < entries.size(); ++i)
        for (std::size_t earlier = 0; earlier < i; ++earlier) {
            const Network& wide = entries[earlier].first;
            if (wide.prefix_bits > entries[i].first.prefix_bits || !wide.contains(entries[i].first.base))
                continue;
            report.warning(report.line_of(fmt::format("data.announce_for[{}]", i)),
                "this entry of \"announce_for\" is never used: an earlier one holds all its clients, and the first counts");
            break;
        }
}

void check_access(const Config& config, Report& report)
{
    const Access& access = config.access;
    if (access.bad_table == BadTable::keep && access.reading == AccessReading::strict)
        report.error(report.line_of("access.bad_table"),
            "bad_table = \"keep\" in [access] needs reading = \"safe\": tcpd, whose reading \"strict\" is, keeps nothing");
    if (access.hosts_allow == access.hosts_deny)
        report.error(report.line_of(report.is_given("access.hosts_deny") ? "access.hosts_deny" : "access.hosts_allow"),
            "\"hosts_allow\" and \"hosts_deny\" in [access] are the same file: one says who may come in, the other who may "
            "not");
    if (access.lookup_time >= config.timeouts.login)
        report.warning(report.line_of(report.is_given("access.lookup_time") ? "access.lookup_time" : "timeouts.login"),
            "\"lookup_time\" in [access] is not below \"login\" in [timeouts]: a slow name server leaves no time to log in");
}

} // namespace

void check_rules(const Config& config, Report& report)
{
    check_places(config, report);
    check_listeners(config, report);
    check_tls(report);
    check_server(config, report);
    check_access(config, report);
    check_loop(config, report);
    check_data_peer(config, report);
    check_announce_for(config, report);
    if (config.timeouts.idle < kLeastIdle)
        report.warning(report.line_of("timeouts.idle"),
            "\"idle\" in [timeouts] is below the five minutes that RFC 1123 4.1.3.2 asks for: slow users will be cut off");
    if (config.limits.startups && config.limits.startups->full >= config.limits.sessions)
        report.warning(report.line_of("limits.startups"),
            "\"startups\" in [limits] should end below \"sessions\": clients that never log in can take every place");
    if (config.limits.reply_bytes < config.limits.reply_line_bytes)
        report.error(report.line_of("limits.reply_bytes"),
            "\"reply_bytes\" in [limits] must not be less than \"reply_line_bytes\": a reply has at least one line");
}

} // namespace safetp::config
