// The addresses of this machine (getifaddrs(3)).
#pragma once

#include "base/ip_address.h"

#include <vector>

namespace safetp::setup {

/// Loopback first, IPv4 before IPv6, each once. Those of interfaces that are down too: they may come up.
std::vector<IpAddress> local_addresses();

/// The same order for addresses from anywhere.
std::vector<IpAddress> in_order(std::vector<IpAddress> addresses);

bool is_link_local(const IpAddress& address); ///< fe80::/10, whose addresses nobody names without an interface

} // namespace safetp::setup
