// safetp pin: what a person does with the file of known servers. Each gives the exit code (client/exit_codes.h).
#pragma once

#include "bin/connection.h"

#include <string>

namespace safetp::bin {

struct PinListArguments {
    std::string pins_file{}; ///< empty: the default, here and below
};

struct PinShowArguments {
    std::string pins_file{};
    std::string server{};
};

struct PinAddArguments {
    ConnectionArguments connection{};
    std::string server{};
    std::string fingerprint{}; ///< empty: the server is asked for it
    bool is_implicit = false;  ///< TLS from the first byte; always so on port 990
    bool is_certain = false;   ///< --yes: nobody is asked
};

struct PinRemoveArguments {
    std::string pins_file{};
    std::string server{};
    std::string fingerprint{}; ///< empty: all of the server's
};

struct PinExportArguments {
    std::string pins_file{};
    std::string server{}; ///< empty: all
    bool as_toml = false;
};

int pin_list(const PinListArguments& arguments);
int pin_show(const PinShowArguments& arguments);
int pin_add(const PinAddArguments& arguments);
int pin_remove(const PinRemoveArguments& arguments);
int pin_export(const PinExportArguments& arguments);

} // namespace safetp::bin
