// safetp proxy: a local FTP proxy that makes the way to the server safe.
#pragma once

#include "bin/engine_arguments.h"

#include <string>

namespace safetp::bin {

struct ProxyArguments {
    EngineArguments engine{};
    std::string listen = "127.0.0.1:2121"; ///< [ADDRESS:]PORT
    std::string server{};                  ///< HOST[:PORT]; empty: clients name it, as USER user@host
    std::string user{};                    ///< started as root: who serves the sessions
};

/// The whole life of the process; gives its exit code.
int run_proxy(const ProxyArguments& arguments);

} // namespace safetp::bin
