#include "bin/engine_arguments.h"

#include "bin/connection.h"
#include "client/exit_codes.h"
#include "config/client_config.h"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

constexpr const char* kSystemConfig = "/etc/safetp/safetp.toml";

/// The one that is named, else the caller's own if there is one, else the machine's if there is one, else none.
std::string config_file(const EngineArguments& arguments)
{
    if (!arguments.config_file.empty())
        return arguments.config_file;
    const char* const xdg = std::getenv("XDG_CONFIG_HOME");
    const char* const home = std::getenv("HOME");
    std::string own;
    if (xdg != nullptr && xdg[0] == '/')
        own = std::string(xdg) + "/safetp/safetp.toml";
    else if (home != nullptr && home[0] == '/')
        own = std::string(home) + "/.config/safetp/safetp.toml";
    if (::geteuid() != 0 && !own.empty() && ::access(own.c_str(), F_OK) == 0)
        return own;
    return ::access(kSystemConfig, F_OK) == 0 ? kSystemConfig : "";
}

std::optional<int> read_config_file(const std::string& file, client::Settings& settings)
{
    if (file.empty())
        return std::nullopt;
    const config::LoadedClient loaded = config::load_client(file);
    for (const config::Problem& problem : loaded.problems)
        fmt::print(stderr, "{}\n", problem.to_string());
    if (!loaded.is_usable())
        return client::kExitConfig;
    if (const auto added = settings.add(loaded.config); !added)
        return complain(client::kExitConfig, file + ": " + added.error().context);
    return std::nullopt;
}

/// The command line is about servers without an entry of their own, and about the one that --server names.
std::optional<int> lay_over(const EngineArguments& arguments, client::ServerSettings& server)
{
    if (!arguments.policy.empty()) {
        const auto policy = client::parse_policy(arguments.policy);
        if (!policy)
            return complain(client::kExitUsage, "the policy is ca, pin or ca+pin");
        server.trust.policy = *policy;
    }
    server.trust.refuse_unknown = server.trust.refuse_unknown || arguments.is_strict;
    if (!arguments.keys.empty())
        server.trust.configured_pins.clear(); // only those of the command line count
    for (const std::string& key : arguments.keys) {
        const auto fingerprint = client::parse_fingerprint(key);
        if (!fingerprint)
            return complain(client::kExitUsage, "a key is written SHA256: and 43 characters of base64");
        server.trust.configured_pins.push_back(*fingerprint);
    }
    if (arguments.is_implicit)
        server.implicit_tls = true;
    if (!arguments.security.empty())
        server.security = arguments.security == "prefer" ? client::ServerSecurity::prefer : client::ServerSecurity::require;
    if (!arguments.client_certificate.empty())
        server.certificate = {arguments.client_certificate, arguments.client_key};
    return std::nullopt;
}

} // namespace

std::variant<client::Settings, int> make_settings(const EngineArguments& arguments, const std::string& default_pins)
{
    client::Settings settings;
    if (const auto problem = read_config_file(config_file(arguments), settings))
        return *problem;
    if (!arguments.pins_file.empty())
        settings.pins_file = arguments.pins_file;
    if (settings.pins_file.empty())
        settings.pins_file = default_pins;
    settings.others.trust.pins_file = settings.pins_file;
    for (client::ServerSettings& server : settings.servers)
        server.trust.pins_file = settings.pins_file;
    if (settings.pins_file.empty()) {
        const auto path = client::PinStore::default_path();
        if (!path)
            return complain(client::kExitCannotCreate, describe(path.error()));
        settings.pins_file = *path;
    }
    if (const auto problem = lay_over(arguments, settings.others))
        return *problem;
    for (client::ServerSettings& server : settings.servers) {
        if (const auto problem = lay_over(arguments, server))
            return *problem;
    }
    if (!arguments.authorities.empty())
        settings.authorities = arguments.authorities;
    if (!arguments.xferlog.empty())
        settings.config.log.xferlog = arguments.xferlog;
    if (arguments.is_verbose)
        settings.config.log.options.threshold = log::Level::debug;
    return settings;
}

Result<std::string> configured_pins_file()
{
    const std::string file = config_file({});
    if (file.empty())
        return std::string();
    const config::LoadedClient loaded = config::load_client(file);
    if (!loaded.is_usable())
        return fail(ErrorCode::bad_config, 0, loaded.problems.front().to_string());
    return loaded.config.known_servers;
}

} // namespace safetp::bin
