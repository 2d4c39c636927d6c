// The access tables' part of `safetpd check`: reads them and what they name, and lists every problem.
#pragma once

#include "config/config.h"
#include "config/load.h"
#include "wrapper/table_files.h"

#include <string>
#include <vector>

namespace safetp::explain {

enum class HostNames { asked, left_alone };

/// Those of the tables that [access] names (none where it is not enabled), or of `instead`: files that are not in place yet.
/// Daemon names are compared with those of inetd.conf where there is one. May ask the name service about the hosts that rules
/// name.
std::vector<config::Problem> check_tables(
    const config::Config& config, const HostNames host_names, const wrapper::TablePaths* instead = nullptr);

} // namespace safetp::explain
