// A deny list as block lists are, and the question that is asked of it.
#pragma once

#include "access/evaluation.h"

#include <random>
#include <string>

namespace safetp::bench {

constexpr long kManyRules = 1'000'000;

std::string random_ipv4(std::mt19937& dice); ///< none begins with 10

/// hosts.allow lets 10.1.2.3 in; hosts.deny has `rules` rules, of ten six addresses, two nets of IPv4 and two of IPv6, none of
/// which begins with 10 or fd, and 10.9.9.9 as its last. The same in every run.
access::TableFiles block_list(long rules);

/// A client that nothing is known of but its address asks for safetpd.
access::Outcome decide(const access::Tables& tables, const std::string& address);

} // namespace safetp::bench
