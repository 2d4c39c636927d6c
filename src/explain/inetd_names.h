// The names under which the services of inetd.conf(5) ask the access tables: tcpdchk(8)'s check of daemon names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace safetp::explain {

/// For a line `ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd -l` it is in.ftpd: what argv[0] is without its directory.
/// Comments, lines of other forms and inetd's own services are passed over. Pure.
std::vector<std::string> inetd_names(std::string_view text);

} // namespace safetp::explain
