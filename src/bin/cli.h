// The command line of safetpd(8), as a value.
#pragma once

#include "bin/serve.h"
#include "explain/question.h"
#include "supervisor/supervisor.h"

#include <string>
#include <variant>
#include <vector>

namespace safetp::bin {

enum class Verb { run, check, explain, serve, version };

struct CommandLine {
    Verb verb = Verb::run;
    supervisor::Options options; ///< run, and where the configuration is for check
    bool is_strict = false;      ///< check
    std::vector<std::string> tables; ///< check: an allow and a deny table, instead of everything else
    explain::Question question;      ///< explain
    ServeOptions serve;
};

/// Or the exit code, after --help or an error was printed.
std::variant<CommandLine, int> parse_command_line(int argc, char** argv);

} // namespace safetp::bin
