// What the verbs that speak with servers have in common on the command line: how servers are spoken to. get, put and ls know a
// part of it.
#pragma once

#include "client/settings.h"

#include <string>
#include <variant>
#include <vector>

namespace CLI {
class App;
}

namespace safetp::bin {

struct EngineArguments {
    std::string config_file{}; ///< empty: the default ones, if there are any
    std::string pins_file{};   ///< empty: the default
    std::string policy{};      ///< empty: not said
    std::vector<std::string> keys{};
    bool is_strict = false;
    bool is_implicit = false;
    std::string security{}; ///< empty: not said
    std::string authorities{};
    std::string client_certificate{};
    std::string client_key{};
    std::string xferlog{};
    bool is_verbose = false;
};

/// The configuration file with the command line over it, or the exit code after an error was printed. `default_pins`: where
/// known_servers is when nobody says so; empty: PinStore's own default for the caller.
std::variant<client::Settings, int> make_settings(const EngineArguments& arguments, const std::string& default_pins = {});

/// The file of known servers that the caller's configuration names; empty: none. bad_config: it has a mistake.
Result<std::string> configured_pins_file();

} // namespace safetp::bin
