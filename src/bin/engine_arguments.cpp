#include "bin/engine_arguments.h"

#include "bin/connection.h"
#include "client/exit_codes.h"

namespace safetp::bin {

std::variant<client::Settings, int> make_settings(const EngineArguments& arguments)
{
    client::Settings settings;
    const auto store = open_store(arguments.pins_file);
    if (!store)
        return complain(client::kExitCannotCreate, describe(store.error()));
    settings.pins_file = store->path();
    client::ServerSettings& others = settings.others;
    if (!arguments.policy.empty()) {
        const auto policy = client::parse_policy(arguments.policy);
        if (!policy)
            return complain(client::kExitUsage, "the policy is ca, pin or ca+pin");
        others.trust.policy = *policy;
    }
    others.trust.refuse_unknown = arguments.is_strict;
    for (const std::string& key : arguments.keys) {
        const auto fingerprint = client::parse_fingerprint(key);
        if (!fingerprint)
            return complain(client::kExitUsage, "a key is written SHA256: and 43 characters of base64");
        others.trust.configured_pins.push_back(*fingerprint);
    }
    if (arguments.is_implicit)
        others.implicit_tls = true;
    if (arguments.security == "prefer")
        others.security = client::ServerSecurity::prefer;
    others.certificate = {arguments.client_certificate, arguments.client_key};
    settings.authorities = arguments.authorities;
    if (!arguments.xferlog.empty())
        settings.config.log.xferlog = arguments.xferlog;
    if (arguments.is_verbose)
        settings.config.log.options.threshold = log::Level::debug;
    return settings;
}

} // namespace safetp::bin
