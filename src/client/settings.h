// What a client side is told by its command line and its configuration, as plain values.
#pragma once

#include "client/server_name.h"
#include "client/trust.h"
#include "config/client_config.h"
#include "tls/client_context.h"

#include <optional>
#include <string>
#include <vector>

namespace safetp::client {

enum class ServerSecurity {
    require, ///< TLS or no session
    prefer,  ///< clear where a server refuses AUTH and has never been secure before
};

/// How one server is spoken to.
struct ServerSettings {
    ServerName name{};                ///< empty host: every server without an entry of its own
    std::optional<bool> implicit_tls; ///< none: on port 990
    ServerSecurity security = ServerSecurity::require;
    bool needs_close_notify = true; ///< false: whoever is on the path can cut downloads unseen
    TrustOptions trust{};
    tls::CertificateFiles certificate{}; ///< for servers that ask for one
};

struct Settings {
    ServerSettings others;               ///< for servers without an entry
    std::vector<ServerSettings> servers; ///< the first with the same name counts
    std::string authorities;             ///< PEM file; empty: the system's
    std::string minimum_tls = "1.2";
    std::string pins_file;               ///< as PinStore takes it
    config::Config config;               ///< limits, timeouts, log and transfer log; the rest is not used

    Settings();

    const ServerSettings& for_server(const ServerName& name) const;

    /// Takes over what safetp.toml says; to be called once, on fresh settings. bad_config with a sentence.
    Result<void> add(const config::ClientConfig& from);

private:
    void lay_over_config(const config::ClientConfig& from);
};

} // namespace safetp::client
