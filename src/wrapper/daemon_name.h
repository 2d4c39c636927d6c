// Which program tcpd(8) starts, and what the tables call it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace safetp::wrapper {

inline constexpr const char* kDaemonDirectory = SAFETP_DAEMON_DIRECTORY; ///< where daemons are that are named without a path

struct Daemon {
    std::string name; ///< in the tables, in the log, and as the daemon's own argv[0]
    std::string path; ///< to execute
    bool operator==(const Daemon&) const = default;
};

/// By the argv[0] that inetd(8) gave: "/opt/sbin/ftpd" is executed as it stands and called "ftpd"; "in.ftpd" is both the name
/// and the file in kDaemonDirectory, and so is "../ftpd".
Daemon find_daemon(std::string_view argv0);

} // namespace safetp::wrapper
