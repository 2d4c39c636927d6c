// What the command line does with the access tables: `safetpd explain` and `safetpd check --tables`.
#pragma once

#include "bin/cli.h"

namespace safetp::bin {

/// Both return the exit code. Where there is no configuration, and none was named, the defaults hold: the tables are also
/// others'.
int explain_client(const CommandLine& line);
int check_tables_only(const CommandLine& line);

} // namespace safetp::bin
