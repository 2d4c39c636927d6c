// The system log as tcpd(8) writes it: under the daemon's name, facility daemon unless a rule says otherwise.
#pragma once

#include "access/evaluation.h"

#include <optional>
#include <string>
#include <string_view>

namespace safetp::wrapper {

/// Priority of syslog(3) for "err" or "mail.info", with the words that an evaluation uses; none for others. Pure.
std::optional<int> priority_of(std::string_view level);

/// Control characters as '?': names and users are the client's words, and one report is one line. Pure.
std::string one_line(std::string_view text);

/// `name` must live as long as the process: syslog(3) keeps the pointer.
void open_system_log(const char* name);
void write_system_log(const access::Report& report); ///< an unknown level counts as err

} // namespace safetp::wrapper
