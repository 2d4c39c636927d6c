// -s: started by inetd(8) or systemd for one connection, which is descriptor 0.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace safetp::supervisor {

struct InetdClient {
    UniqueFd control;         ///< non-blocking, close-on-exec
    bool took_stderr = false; ///< descriptor 2 was the client too, as inetd does it: log to syslog
};

/// Moves the connection away from descriptors 0, 1 and 2, which become /dev/null, and turns the log to syslog where stderr was
/// the connection. supervisor: descriptor 0 is no TCP connection.
Result<InetdClient> take_inetd_client();

} // namespace safetp::supervisor
