#include "setup/doctor.h"

#include "config/load.h"
#include "setup/conversation.h"
#include "setup/firewall.h"
#include "setup/local_addresses.h"
#include "setup/machine.h"
#include "setup/probe.h"
#include "setup/report.h"
#include "setup/server_line.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace safetp::setup {

namespace {

constexpr std::chrono::seconds kTryTime{7}; // tcpd closes 5 s after it has refused

/// The raw port and what is open by itself, each on each local address, as far as the number allows.
std::vector<Endpoint> endpoints_to_try(const Situation& situation)
{
    std::vector<Endpoint> endpoints;
    for (const Opening& opening : situation.openings) {
        const auto addresses = opening.address ? std::vector{*opening.address} : situation.addresses;
        for (const IpAddress& address : addresses) {
            const Endpoint endpoint{address, opening.port};
            if (opening.is_listening && !is_link_local(address) && std::ranges::find(endpoints, endpoint) == endpoints.end())
                endpoints.push_back(endpoint);
        }
    }
    return endpoints;
}

/// What opens the front door where nobody listens.
std::string starter_of(const std::vector<Opening>& doors, const Situation& situation)
{
    if (doors.empty())
        return "systemctl start safetpd.service";
    return doors.front().source == Source::systemd_socket ? "systemctl start " + doors.front().unit
        : doors.front().source == Source::inetd           ? situation.inetd_reload
                                                          : situation.xinetd_reload;
}

/// Where the raw ftpd is told to insist on TLS of its own: the one that is started, or those on the port where we look for it.
std::optional<Standing> find_own_tls(const Root& root, const config::Server& server, const std::vector<Opening>& openings)
{
    if (!server.command.empty())
        return read_ftpd_settings(root, recognise_ftpd(server.command.front()), server.command).insists_on_tls;
    for (const Opening& opening : openings) {
        const auto insists = read_ftpd_settings(root, opening.kind, opening.arguments).insists_on_tls;
        if (opening.port == server.port && insists)
            return insists;
    }
    return std::nullopt;
}

void try_front_door(const config::Config& config, const DoctorOptions& options, Situation& situation)
{
    situation.visits = visit_doors(config, situation.addresses);
    const config::Server& server = config.server;
    const IpAddress address = server.address.value_or(IpAddress::from_ipv4({127, 0, 0, 1}));
    const ReachServer reach = [&]() -> Result<UniqueFd> {
        if (server.command.empty())
            return dial({address, server.port}, std::chrono::steady_clock::now() + kTryTime);
        if (!options.start_server)
            return fail(ErrorCode::bad_config, 0, "it is started for each session");
        return options.start_server(server);
    };
    if (const auto measured = measure_server_line(reach, config.limits.line_bytes))
        situation.server_line = *measured;
    else
        situation.server_line_unknown = describe(measured.error());
}

Situation look_around(
    const Root& root, const config::Config& config, const std::vector<Service>& services, const DoctorOptions& options)
{
    Situation situation;
    situation.is_live = root.is_live();
    situation.sees_owners = ::geteuid() == 0;
    situation.addresses = local_addresses();
    for (const config::Listener& listener : config.listeners) {
        if (listener.address && !listener.address->is_unspecified())
            situation.doors.push_back(*listener.address);
    }
    if (situation.doors.size() < config.listeners.size()) // one is open on all addresses
        situation.doors.clear();
    situation.door_ports.clear();
    for (const config::Listener& listener : config.listeners)
        situation.door_ports.push_back(listener.port);
    situation.line_bytes = config.server.line_bytes;
    situation.is_started = !config.server.command.empty();
    situation.server_address = config.server.address;
    situation.server_port = config.server.port;
    situation.wrapper = find_wrapper(root);
    situation.inetd_reload = inetd_reload(root);
    situation.xinetd_reload = xinetd_reload(root);
    situation.started_daemon = situation.is_started ? daemon_that_asks(root, config.server.command) : std::string();
    const std::vector<std::uint16_t> ftp_ports{21, find_port(services, "raw-ftp").value_or(kRawPort), config.server.port};
    Openings openings = find_configured(root, services, ftp_ports);
    situation.unread = std::move(openings.unread);
    situation.door_starter = starter_of(openings.doors, situation);
    if (root.is_live())
        add_listeners(root, find_listeners(), ftp_ports, openings);
    situation.openings = std::move(openings.found);
    situation.server_tls = find_own_tls(root, config.server, situation.openings);
    if (root.is_live() && options.may_connect) {
        situation.attempts = try_endpoints(endpoints_to_try(situation), kTryTime);
        try_front_door(config, options, situation);
    }
    situation.firewall = find_firewall(root);
    return situation;
}

} // namespace

Diagnosis examine(const DoctorOptions& options)
{
    const Root root(options.root);
    const std::vector<Service> services = read_services(root);
    auto config = read_config(root, options.config, services);
    if (!config) {
        std::fprintf(stderr, "%s\n", config.error().context.c_str());
        return Diagnosis::bad_config;
    }
    const Situation situation = look_around(root, *config, services, options);
    const Judge judge = make_judge(root, tables_of(*config));
    const std::vector<Finding> findings = diagnose(situation, judge);
    const std::string report = options.is_json ? report_json(situation, findings) : report_text(situation, findings);
    std::fputs(report.c_str(), stdout);
    if (std::ranges::find(findings, Weight::way, &Finding::weight) != findings.end())
        return Diagnosis::ways;
    if (std::ranges::find(findings, Weight::trouble, &Finding::weight) != findings.end())
        return Diagnosis::trouble;
    const bool saw_all = situation.unread.empty() && (!situation.is_live || situation.sees_owners);
    return saw_all ? Diagnosis::no_way : Diagnosis::not_all_seen;
}

std::optional<config::Problem> check_own_tls(const config::Server& server)
{
    const auto insists = server.command.empty() ? std::nullopt : find_own_tls(Root(), server, {});
    if (!insists)
        return std::nullopt;
    return config::Problem{.severity = config::Problem::Severity::warning,
        .file = insists->file.empty() ? kConfigFile : insists->file,
        .line = insists->line,
        .text = fmt::format(
            "the raw ftpd insists on TLS of its own ({}), but safetpd speaks plain FTP with it: nobody can log in",
            insists->setting)};
}

} // namespace safetp::setup
