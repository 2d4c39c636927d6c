// The command line of safetp(1), as a value.
#pragma once

#include "bin/pin_verbs.h"
#include "bin/proxy_verb.h"
#include "bin/run_verb.h"
#include "bin/transfer_verbs.h"

#include <variant>

namespace safetp::bin {

struct VersionArguments { };

/// One alternative a verb.
using SafetpCommand = std::variant<VersionArguments, PinListArguments, PinShowArguments, PinAddArguments, PinRemoveArguments,
    PinExportArguments, GetArguments, PutArguments, ListArguments, ProxyArguments, RunArguments>;

/// Or the exit code, after --help or an error was printed.
std::variant<SafetpCommand, int> parse_safetp_command_line(int argc, char** argv);

} // namespace safetp::bin
