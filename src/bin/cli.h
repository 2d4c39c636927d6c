// The command line of safetpd(8), as a value.
#pragma once

#include "bin/serve.h"
#include "explain/question.h"
#include "setup/doctor.h"
#include "setup/setup.h"
#include "supervisor/supervisor.h"

#include <string>
#include <variant>
#include <vector>

namespace safetp::bin {

enum class Verb { run, check, explain, serve, doctor, setup, version };

struct CommandLine {
    Verb verb = Verb::run;
    supervisor::Options options; ///< run, and where the configuration is for check
    bool is_strict = false;      ///< check
    bool wants_explicit_allow = false; ///< check
    std::vector<std::string> tables; ///< check: an allow and a deny table, instead of everything else
    explain::Question question;      ///< explain
    ServeOptions serve;
    setup::DoctorOptions doctor;
    setup::SetupOptions setup;
};

/// Or the exit code, after --help or an error was printed.
std::variant<CommandLine, int> parse_command_line(int argc, char** argv);

} // namespace safetp::bin
