// safetp's configuration as plain structs with their defaults: what safetp(1) describes. load_client fills it.
#pragma once

#include "config/config.h"
#include "config/load.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace safetp::config {

enum class ServerTls { require, prefer };          ///< prefer: in clear with servers that never had TLS
enum class TrustedBy { pin, authorities, both };

/// How servers are spoken to, as far as it is said: by one [[server]], or at the top for all others.
struct ServerChoices {
    std::optional<bool> implicit_tls;
    std::optional<ServerTls> security;
    std::optional<TrustedBy> trust;
    std::optional<bool> refuse_unknown;
    std::optional<bool> unsafe_missing_close_notify;
    std::vector<std::string> pins; ///< fingerprints as written
    CertificateFiles certificate;  ///< ours
};

struct RemoteServer {
    std::string host;
    std::uint16_t port = 21;
    ServerChoices choices;
};

struct ClientConfig {
    ServerChoices others;
    std::vector<RemoteServer> servers;
    std::string authorities;          ///< PEM; empty: the system's
    std::string minimum_tls = "1.2";
    std::string known_servers;        ///< file; empty: the default
    Limits limits;
    Timeouts timeouts;
    Log log;

    ClientConfig();
};

struct LoadedClient {
    ClientConfig config;
    std::vector<Problem> problems; ///< in the order of their lines

    bool is_usable() const;
};

/// As load() for safetpd.toml.
LoadedClient load_client(const std::string& path);
LoadedClient parse_client(std::string_view toml, const std::string& name);

/// Every key of safetp.toml, as known_keys().
std::vector<std::string> known_client_keys();

} // namespace safetp::config
