// The table of all keys: one row each, from which reading, the finding of unknown keys and the documentation test all come.
#pragma once

#include "config/client_config.h"
#include "config/config.h"
#include "config/node.h"
#include "config/report.h"

namespace safetp::config {

/// Reads the whole file's table into `config`, which holds the defaults.
void read_config(const Node& root, Config& config, Report& report);

/// The same for safetp.toml.
void read_client_config(const Node& root, ClientConfig& config, Report& report);

/// What contradicts itself although each value is good by itself, or what is dangerous together (rules.cpp).
void check_rules(const Config& config, Report& report);

} // namespace safetp::config
