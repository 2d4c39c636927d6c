// What doctor and setup both need to know of a machine: its configuration of ours, its services, its wrapper.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "setup/root.h"
#include "setup/services_file.h"
#include "setup/table_judge.h"

#include <string>
#include <vector>

namespace safetp::setup {

inline constexpr const char* kConfigFile = "/etc/safetp/safetpd.toml";

std::vector<Service> read_services(const Root& root);

/// The configuration with the ports that the root's own services(5) gives. `file` within the root; empty: kConfigFile, and the
/// defaults where that is missing. bad_config: its problems, one a line.
Result<config::Config> read_config(const Root& root, const std::string& file, const std::vector<Service>& services);

/// The wrapper to put before the raw ftpd: ours where it is installed, else tcpd.
std::string find_wrapper(const Root& root);

/// The command that makes whatever reads /etc/inetd.conf read it again, and starts it where it does not run.
std::string inetd_reload(const Root& root);
/// The same for xinetd.
std::string xinetd_reload(const Root& root);

/// The name under which a program that is started for each session asks the tables itself; empty: it does not.
std::string daemon_that_asks(const Root& root, const std::vector<std::string>& command);

/// Where the tables are: the library knows only /etc, ours may be elsewhere.
TableTexts tables_of(const config::Config& config);

} // namespace safetp::setup
