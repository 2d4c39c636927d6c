#include "setup/doctor.h"

#include "config/load.h"
#include "setup/firewall.h"
#include "setup/local_addresses.h"
#include "setup/machine.h"
#include "setup/probe.h"
#include "setup/report.h"

#include <algorithm>
#include <cstdio>
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

Situation look_around(const Root& root, const config::Config& config, const std::vector<Service>& services, bool may_connect)
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
    situation.is_started = !config.server.command.empty();
    situation.server_address = config.server.address;
    situation.server_port = config.server.port;
    situation.wrapper = find_wrapper(root);
    situation.inetd_reload = inetd_reload(root);
    situation.started_daemon = situation.is_started ? daemon_that_asks(root, config.server.command) : std::string();
    const std::vector<std::uint16_t> ftp_ports{21, find_port(services, "raw-ftp").value_or(kRawPort), config.server.port};
    Openings openings = find_configured(root, services, ftp_ports);
    situation.unread = std::move(openings.unread);
    situation.openings = std::move(openings.found);
    if (root.is_live()) {
        add_listeners(root, find_listeners(), ftp_ports, situation.openings);
        if (may_connect)
            situation.attempts = try_endpoints(endpoints_to_try(situation), kTryTime);
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
    const Situation situation = look_around(root, *config, services, options.may_connect);
    const Judge judge = make_judge(root, tables_of(*config));
    const std::vector<Finding> findings = diagnose(situation, judge);
    const std::string report = options.is_json ? report_json(situation, findings) : report_text(situation, findings);
    std::fputs(report.c_str(), stdout);
    if (std::ranges::find(findings, Weight::way, &Finding::weight) != findings.end())
        return Diagnosis::ways;
    const bool saw_all = situation.unread.empty() && (!situation.is_live || situation.sees_owners);
    return saw_all ? Diagnosis::no_way : Diagnosis::not_all_seen;
}

} // namespace safetp::setup
