#include "client/engine.h"

#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <fcntl.h>

namespace safetp::client {

namespace {

constexpr std::chrono::seconds kFarewell{2}; // for the last replies of sessions that are cut off

ftp::Policy make_policy(const Settings& settings, bool passes_greeting)
{
    config::Listener listener;
    listener.security = config::Security::optional;
    ftp::Policy policy = proxy::make_policy(settings.config, listener);
    policy.secure_leg = ftp::SecureLeg::server;
    policy.server_line_bytes = settings.config.limits.line_bytes; // who sends it may say all of it to this server anyway
    policy.passes_greeting = passes_greeting;
    policy.server_words = "The FTP server";
    return policy;
}

/// What counts as one client: an address, of IPv6 its /64, since a customer gets that whole; but a link has only one.
IpAddress client_network(const IpAddress& client)
{
    auto bytes = client.bytes();
    const bool is_link_local = bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80;
    if (client.is_ipv4() || is_link_local)
        return client;
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return IpAddress::from_ipv6(bytes);
}

/// Only what came through ServerName gets here, so this cannot fail; a name of nobody would be refused anyway.
ServerName name_of(const proxy::Destination& destination)
{
    return ServerName::make(destination.host, destination.port).value_or(ServerName{});
}

} // namespace

Result<Engine::Resources> Engine::prepare(const Settings& settings)
{
    Resources resources;
    std::vector<ServerSettings> all = settings.servers;
    all.push_back(settings.others);
    for (const ServerSettings& server : all) {
        auto context = tls::ClientContext::make({.certificate = server.certificate, .authorities = settings.authorities,
            .minimum_version = settings.minimum_tls});
        if (!context)
            return std::unexpected(context.error());
        resources.contexts.push_back(std::move(*context));
    }
    if (!settings.config.log.xferlog.empty()) {
        const std::string& path = settings.config.log.xferlog;
        resources.xferlog.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
        if (!resources.xferlog)
            return fail(ErrorCode::bad_file, errno, path);
    }
    return resources;
}

Engine::Engine(const net::Executor& executor, const Settings& settings, Resources resources)
    : settings_(settings)
    , contexts_(std::move(resources.contexts))
    , names_(executor, std::move(resources.name_helper))
    , pins_(settings.pins_file)
    , xferlog_(std::move(resources.xferlog))
    , environment_{.executor = executor, .config = settings.config, .announced_names = announced_names_, .buffers = buffers_,
          .xferlog = xferlog_, .start_server = {}}
    , known_{.listener = listener_, .tls = nullptr, .policy = make_policy(settings, true), .client_side = &client_side_}
    , greeted_{.listener = listener_, .tls = nullptr, .policy = make_policy(settings, false), .client_side = &client_side_}
{
    client_side_.understand = [](std::string_view typed) -> std::expected<proxy::Destination, std::string> {
        const auto name = ServerName::parse(typed);
        if (!name)
            return std::unexpected(name.error().context);
        return proxy::Destination{name->host, name->port, {}};
    };
    client_side_.rules_for = [this](const proxy::Destination& destination) { return rules_for(destination); };
    client_side_.judge
        = [this](const proxy::Destination& destination, const tls::PeerCertificate& seen) { return judge(destination, seen); };
    client_side_.look_up = [this](std::string host, std::uint64_t session) {
        return names_.look_up(std::move(host), sessions_[session].client.to_string());
    };
}

Engine::~Engine() = default;

net::Task<> Engine::run() { co_await names_.run(); }

void Engine::close() { names_.close(); }

net::Task<> Engine::serve(
    UniqueFd client, Endpoint peer, std::optional<proxy::Destination> destination, proxy::Overheard overheard)
{
    const std::uint64_t number = next_number_++;
    const proxy::Front& front = destination && !overheard.is_greeted ? known_ : greeted_;
    try {
        proxy::Session session(environment_, front, number, std::move(client), peer, std::move(destination), overheard.said);
        sessions_[number] = {&session, client_network(peer.address)};
        co_await session.run();
        sessions_.erase(number);
    } catch (const std::exception& error) {
        // Out of memory, or a mistake of ours: the session's tasks still refer to what is gone, so the process ends with it.
        log::Event(log::Level::error, number, "internal-error", std::string("safetp ends: ") + error.what());
        ::_exit(1);
    }
}

bool Engine::has_room_for(const IpAddress& client) const
{
    const auto own = std::ranges::count(
        sessions_, client_network(client), [](const auto& entry) { return entry.second.client; });
    return own < static_cast<std::ptrdiff_t>(settings_.config.limits.sessions_per_client);
}

std::optional<Endpoint> Engine::data_place_for(const Endpoint& shown) const
{
    for (const auto& [number, served] : sessions_) {
        if (const auto place = served.session->data_place_for(shown))
            return place;
    }
    return std::nullopt;
}

net::Task<> Engine::drain(std::chrono::seconds limit)
{
    for (const auto& [number, served] : std::map(sessions_))
        served.session->drain();
    net::Timer timer(environment_.executor, net::Clock::now() + limit);
    co_await net::wait(timer);
    log::Event(log::Level::warning, 0, "drain-timeout", "the time to drain is over, sessions are ended")
        .with("sessions", sessions_.size());
    for (const auto& [number, served] : std::map(sessions_))
        served.session->cut_off();
    timer.expires_after(kFarewell);
    co_await net::wait(timer);
}

std::size_t Engine::index_for(const proxy::Destination& destination) const
{
    const auto found = std::ranges::find(settings_.servers, name_of(destination), &ServerSettings::name);
    return static_cast<std::size_t>(found - settings_.servers.begin());
}

const ServerSettings& Engine::settings_for(const proxy::Destination& destination) const
{
    return settings_.for_server(name_of(destination));
}

std::expected<proxy::ServerRules, std::string> Engine::rules_for(const proxy::Destination& destination)
{
    const ServerSettings& server = settings_for(destination);
    proxy::ServerRules rules;
    rules.tls = &contexts_[index_for(destination)];
    rules.implicit_tls = server.implicit_tls.value_or(destination.port == kImplicitPort);
    rules.needs_close_notify = server.needs_close_notify;
    if (server.security == ServerSecurity::prefer) {
        const auto known = pins_.find(name_of(destination));
        if (!known)
            return std::unexpected("The list of known servers cannot be used (" + describe(known.error())
                + "), so it is not known whether this server must be secure.");
        rules.may_be_clear = !known->must_be_secure && server.trust.configured_pins.empty();
    }
    return rules;
}

proxy::Trust Engine::judge(const proxy::Destination& destination, const tls::PeerCertificate& certificate)
{
    Verdict verdict = decide(name_of(destination), certificate, settings_for(destination).trust, pins_);
    const bool is_first_use = verdict.outcome == Verdict::Outcome::accepted_first_use;
    return {verdict.is_accepted(), is_first_use, std::move(verdict.for_person), std::move(verdict.for_log)};
}

} // namespace safetp::client
