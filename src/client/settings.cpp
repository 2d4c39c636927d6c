#include "client/settings.h"

#include "config/client_config.h"

#include <algorithm>

namespace safetp::client {

namespace {

TrustPolicy to_policy(config::TrustedBy trusted)
{
    switch (trusted) {
    case config::TrustedBy::pin: return TrustPolicy::pin;
    case config::TrustedBy::authorities: return TrustPolicy::ca;
    case config::TrustedBy::both: return TrustPolicy::ca_and_pin;
    }
    return TrustPolicy::ca_and_pin;
}

/// What is said lies over what was said for all.
Result<void> lay_over(ServerSettings& server, const config::ServerChoices& choices)
{
    if (choices.implicit_tls)
        server.implicit_tls = *choices.implicit_tls;
    if (choices.security)
        server.security
            = *choices.security == config::ServerTls::prefer ? ServerSecurity::prefer : ServerSecurity::require;
    if (choices.unsafe_missing_close_notify)
        server.needs_close_notify = !*choices.unsafe_missing_close_notify;
    if (choices.trust)
        server.trust.policy = to_policy(*choices.trust);
    if (choices.refuse_unknown)
        server.trust.refuse_unknown = *choices.refuse_unknown;
    for (const std::string& pin : choices.pins) {
        const auto fingerprint = parse_fingerprint(pin);
        if (!fingerprint)
            return fail(ErrorCode::bad_config, 0, "\"" + pin + "\" is no fingerprint: SHA256: and 43 characters of base64");
        server.trust.configured_pins.push_back(*fingerprint);
    }
    if (!choices.certificate.certificate.empty())
        server.certificate = {choices.certificate.certificate, choices.certificate.key};
    return {};
}

} // namespace

Settings::Settings() { lay_over_config({}); }

void Settings::lay_over_config(const config::ClientConfig& from)
{
    config.limits = from.limits;
    config.timeouts = from.timeouts;
    config.log = from.log;
    config.data.first_port = config.data.last_port = 0; // the kernel chooses: nobody's firewall stands before the local leg
}

const ServerSettings& Settings::for_server(const ServerName& name) const
{
    const auto found = std::ranges::find(servers, name, &ServerSettings::name);
    return found == servers.end() ? others : *found;
}

Result<void> Settings::add(const config::ClientConfig& from)
{
    lay_over_config(from);
    authorities = from.authorities;
    minimum_tls = from.minimum_tls;
    if (!from.known_servers.empty())
        pins_file = from.known_servers;
    if (const auto laid = lay_over(others, from.others); !laid)
        return laid;
    for (const config::RemoteServer& entry : from.servers) {
        ServerSettings server = others;
        auto name = ServerName::make(entry.host, entry.port);
        if (!name)
            return fail(ErrorCode::bad_config, 0, "host of a [[server]]: " + describe(name.error()));
        server.name = std::move(*name);
        if (const auto laid = lay_over(server, entry.choices); !laid)
            return fail(ErrorCode::bad_config, 0, server.name.to_string() + ": " + laid.error().context);
        servers.push_back(std::move(server));
    }
    return {};
}

} // namespace safetp::client
