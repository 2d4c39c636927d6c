// The host names that 227 replies announce, looked up without letting a dead name server hold the supervisor up.
#pragma once

#include "base/ip_address.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace safetp::supervisor {

/// Each host name with its IPv4 addresses: 227 replies have room for nothing else.
using AnnouncedNames = std::vector<std::pair<std::string, std::vector<IpAddress>>>;

inline constexpr std::chrono::seconds kLookupLimit{5}; ///< for all names together

/// Asks the name service in a child process that is ended after `limit`. A name without an answer keeps what `previous` has
/// of it; where that is nothing, workers announce the address that the client has reached. Each such name is logged.
AnnouncedNames resolve_announced(const std::vector<std::string>& hosts, const AnnouncedNames& previous,
    std::chrono::milliseconds limit = kLookupLimit);

} // namespace safetp::supervisor
