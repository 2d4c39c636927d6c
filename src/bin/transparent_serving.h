// What safetp proxy does differently when clients do not know of it.
#pragma once

#include "bin/proxy_verb.h"
#include "client/original_destination.h"
#include "client/settings.h"
#include "process/identity.h"

#include <optional>
#include <vector>

namespace safetp::bin {

/// Nothing without --transparent; otherwise all of its options are sound together. bad_config with a sentence.
Result<std::optional<client::Interception>> find_interception(const ProxyArguments& arguments);

/// --data-ports over the defaults: 50000-50999 for --transparent, whose rules must know them, else what the kernel chooses.
/// bad_config with a sentence.
Result<void> choose_data_ports(const ProxyArguments& arguments, client::Settings& settings);

/// Where clients are led: an address that was given, or, of both families, loopback for this machine's own programs and
/// all addresses for what comes in through an interface. bad_address.
Result<std::vector<Endpoint>> find_listen_endpoints(const ProxyArguments& arguments);

/// --print-rules: for a proxy that serves as `user`, or as who calls this; gives the exit code.
int print_rules(const ProxyArguments& arguments, const std::optional<process::Identity>& user);

/// Becomes `identity` and keeps nothing but CAP_NET_RAW, which is what standing in for other addresses takes.
Result<void> become_with_foreign_addresses(const process::Identity& identity);

} // namespace safetp::bin
