// The client side as one object in one event loop: give it an accepted local connection, and it serves that FTP client with a
// safe way to the server it wants. safetp proxy and safetp run are built on it.
#pragma once

#include "client/name_service.h"
#include "client/pins.h"
#include "client/settings.h"
#include "proxy/session.h"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace safetp::client {

class Engine {
public:
    /// What comes from files and processes; made before the event loop.
    struct Resources {
        std::vector<tls::ClientContext> contexts; ///< one for each of settings.servers, and the last for all others
        UniqueFd name_helper;                     ///< start_name_helper()
        UniqueFd xferlog;                         ///< -1: none
    };
    /// Loads authorities and client certificates, opens the transfer log: before privileges are given up. The name helper is
    /// the caller's to start, after that.
    static Result<Resources> prepare(const Settings& settings);

    /// The process must ignore SIGPIPE. `settings` must outlive this; this must outlive the event loop's last task of its own.
    Engine(const net::Executor& executor, const Settings& settings, Resources resources);
    Engine(const Engine&) = delete;
    ~Engine();

    /// Serves the FTP client at the other end of `client`, whose address is `peer`, until the session is over. Without a
    /// destination the client names its server itself, as USER user@host. Never throws. Spawn it; any number may run at once.
    net::Task<> serve(UniqueFd client, Endpoint peer, std::optional<proxy::Destination> destination,
        proxy::Overheard overheard);

    bool has_room() const { return sessions_.size() < settings_.config.limits.sessions; }
    bool has_room_for(const IpAddress& client) const; ///< under its own share, sessions_per_client
    std::size_t sessions() const { return sessions_.size(); }
    /// Where a data connection to `shown` is awaited; nothing: no session's client has been told to go there.
    std::optional<Endpoint> data_place_for(const Endpoint& shown) const;
    /// Sessions end as soon as no transfer is under way; after `limit` those that are left are told and cut off. Returns when
    /// they had a moment to say so.
    net::Task<> drain(std::chrono::seconds limit);
    net::Task<> run();     ///< spawn it once: serves name lookups
    void close();          ///< ends run()

private:
    std::expected<proxy::ServerRules, std::string> rules_for(const proxy::Destination& destination);
    proxy::Trust judge(const proxy::Destination& destination, const tls::PeerCertificate& certificate);
    const ServerSettings& settings_for(const proxy::Destination& destination) const;
    std::size_t index_for(const proxy::Destination& destination) const;

    const Settings& settings_;
    std::vector<tls::ClientContext> contexts_;
    NameService names_;
    PinStore pins_;
    config::Listener listener_; ///< of the plain, local leg
    proxy::AnnouncedNames announced_names_;
    proxy::BufferPool buffers_;
    proxy::Xferlog xferlog_;
    proxy::ClientSide client_side_;
    proxy::Environment environment_;
    proxy::Front known_;   ///< for clients that their server is to greet
    proxy::Front greeted_; ///< for clients that have been greeted already, by us most of the time
    struct Served {
        proxy::Session* session = nullptr;
        IpAddress client{}; ///< its network, see client_network()
    };
    std::map<std::uint64_t, Served> sessions_;
    std::uint64_t next_number_ = 1;
};

} // namespace safetp::client
