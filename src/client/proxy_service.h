// safetp proxy's loop: accepts local FTP clients and has the engine serve them, until it is told to stop.
#pragma once

#include "client/engine.h"
#include "client/original_destination.h"

#include <optional>
#include <vector>

namespace safetp::client {

struct ProxyStart {
    const Settings& settings;
    Engine::Resources resources;
    std::vector<UniqueFd> listeners;              ///< listening and non-blocking
    std::optional<proxy::Destination> destination; ///< none: each client names its server
    std::optional<Interception> interception{};    ///< each client has dialled its server, and was led here
};

/// SIGTERM and SIGINT end it: no new clients, sessions end when no transfer is under way, at the latest after the drain limit;
/// a second signal ends it at once. Both must be blocked by block_stop_signals() before. Gives the exit code.
int run_proxy(ProxyStart start);

/// So that they wait for run_proxy, and children started meanwhile inherit no handler.
void block_stop_signals();

} // namespace safetp::client
