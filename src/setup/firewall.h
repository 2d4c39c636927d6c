// Signs that a packet filter may hide from strangers what doctor judges open, or the front door itself.
#pragma once

#include "setup/root.h"

#include <string>
#include <vector>

namespace safetp::setup {

/// Rules in the kernel (live, as root), and services that load some at boot. One clause each.
std::vector<std::string> find_firewall(const Root& root);

} // namespace safetp::setup
