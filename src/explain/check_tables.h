// The access tables' part of `safetpd check`: reads them and what they name, and lists every problem.
#pragma once

#include "config/config.h"
#include "config/load.h"
#include "wrapper/table_files.h"

#include <optional>
#include <vector>

namespace safetp::explain {

struct TableCheck {
    bool wants_explicit_allow = false; ///< as tcpdchk -a
    std::optional<wrapper::TablePaths> instead{}; ///< check these, which need not be in place yet
};

/// The problems of the tables that [access] names (none where it is not enabled), and of inetd.conf's wrapped lines, where
/// there is one. Asks the name service about the hosts and netgroups that rules name.
std::vector<config::Problem> check_tables(const config::Config& config, const TableCheck& what);

} // namespace safetp::explain
