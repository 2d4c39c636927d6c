// The command line of safetpd(8), as a value.
#pragma once

#include "bin/serve.h"
#include "supervisor/supervisor.h"

#include <variant>

namespace safetp::bin {

enum class Verb { run, check, serve, version };

struct CommandLine {
    Verb verb = Verb::run;
    supervisor::Options options; ///< run, and where the configuration is for check
    bool is_strict = false;      ///< check
    ServeOptions serve;
};

/// Or the exit code, after --help or an error was printed.
std::variant<CommandLine, int> parse_command_line(int argc, char** argv);

} // namespace safetp::bin
