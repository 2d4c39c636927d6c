// Tries what can be tried: connects from this machine to its own addresses and reads what greets it. From here it cannot be
// seen what a stranger gets; it can be seen that something answers, and that it is an FTP server.
#pragma once

#include "base/ip_address.h"
#include "setup/findings.h"

#include <chrono>
#include <vector>

namespace safetp::setup {

inline constexpr std::size_t kMaxAttempts = 8;

/// All at once, at most kMaxAttempts of them, within `time`. A wrapper that refuses closes after some seconds of silence.
std::vector<Attempt> try_endpoints(const std::vector<Endpoint>& endpoints, std::chrono::milliseconds time);

} // namespace safetp::setup
