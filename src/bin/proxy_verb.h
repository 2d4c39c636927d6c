// safetp proxy: a local FTP proxy that makes the way to the server safe.
#pragma once

#include "bin/engine_arguments.h"

#include <cstdint>
#include <string>

namespace safetp::bin {

struct ProxyArguments {
    EngineArguments engine{};
    std::string listen = "2121";           ///< [ADDRESS:]PORT; loopback unless an address is given
    std::string server{};                  ///< HOST[:PORT]; empty: clients name it, as USER user@host
    std::string user{};                    ///< started as root: who serves the sessions
    std::string data_ports{};              ///< FIRST-LAST; empty: the default
    std::string transparent{};             ///< redirect, tproxy, or empty: clients know of the proxy
    std::string interface{};               ///< transparent: clients come in here; empty: they are this machine's programs
    std::uint16_t ftp_port = 21;           ///< transparent: what clients dial, for the rules
    bool wants_rules = false;              ///< print them and nothing else
};

/// The whole life of the process; gives its exit code.
int run_proxy(const ProxyArguments& arguments);

} // namespace safetp::bin
