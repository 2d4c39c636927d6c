// safetp run: a command whose FTP connections, and no others, go through TLS.
#pragma once

#include "bin/engine_arguments.h"

#include <cstdint>
#include <string>
#include <vector>

namespace safetp::bin {

struct RunArguments {
    EngineArguments engine{};
    std::vector<std::uint16_t> ports{}; ///< of FTP servers, beside 21
    std::vector<std::uint16_t> other_ports{}; ///< of anything but FTP
    std::string host{};                 ///< what the server is called; empty: found out
    bool is_telling = false;            ///< say which connections were made safe
    std::vector<std::string> command{};
};

/// Gives the command's exit code, or one of our own if it could not be started.
int run_run(const RunArguments& arguments);

} // namespace safetp::bin
