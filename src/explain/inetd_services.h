// The services of inetd.conf(5): under which names they ask the access tables, and whether they do. tcpdchk(8)'s checks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace safetp::explain {

struct InetdService {
    unsigned line = 0;
    std::string name;    ///< in the tables: what argv[0] is without its directory; empty: a wrapper without a daemon behind it
    std::string program; ///< what runs in the end
    std::string wrapper; ///< tcpd or safetp-tcpd before it; empty: none
    bool operator==(const InetdService&) const = default;
};

/// For a line `ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd -l` it is in.ftpd, which runs /usr/sbin/in.ftpd.
/// Comments, lines of other forms and inetd's own services are passed over. Pure.
std::vector<InetdService> inetd_services(std::string_view text);

} // namespace safetp::explain
