// Log lines whose wording other programs rely on. Pure.
#pragma once

#include "base/ip_address.h"

#include <string>
#include <string_view>

namespace safetp::log {

/// `(?@192.0.2.1) [WARNING] Authentication failed for user [bob]`: what fail2ban's stock filter pure-ftpd.conf matches (and
/// ours, packaging/fail2ban). The address stands before the name, so that no name can put another address in its place; the
/// name is cut at 64 bytes so that the closing bracket, which filters ask for, is never lost.
std::string login_failure_line(std::string_view user, const IpAddress& client);

} // namespace safetp::log
