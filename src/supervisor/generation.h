// One configuration, loaded, checked and with everything opened that it names, except the listening sockets.
#pragma once

#include "config/load.h"
#include "supervisor/listeners.h"
#include "process/identity.h"
#include "supervisor/worker.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace safetp::supervisor {

/// What the command line sets; wins over the file.
struct Overrides {
    std::optional<config::Listener> listener;                ///< -p: address and port of the only listener
    std::optional<std::pair<std::optional<IpAddress>, std::uint16_t>> server; ///< -f: the raw ftpd listens there
    std::string key_directory;                               ///< -y
    bool is_verbose = false;                                 ///< -v
};

/// Where the configuration comes from, each time it is asked for.
struct ConfigSource {
    std::string path = config::kDefaultPath;
    bool may_be_missing = false;           ///< then the defaults stand in
    std::optional<config::Config> prepared; ///< instead of a file: `safetpd serve`
    Overrides overrides;
};

/// Syntax and machine problems together; nothing is opened or made.
config::Loaded load_and_check(const ConfigSource& source, config::NameService name_service);

/// Reads certificates, or makes the self-made identity.
Result<std::unique_ptr<const Generation>> make_generation(config::Config config);

/// The host names (not the addresses) that [data] announces.
std::vector<std::string> announced_hosts(const config::Config& config);

/// Whether TLS contexts can be made of it, and certificates that expire soon; makes no identity where none exists yet.
std::vector<config::Problem> check_contexts(const config::Config& config, const std::string& file);

/// The certificate, key and CA files whose change makes new contexts necessary.
std::vector<std::string> watched_files(const config::Config& config);

unsigned worker_count(const config::Config& config); ///< 0 in the configuration is one per usable processor

} // namespace safetp::supervisor
