// What the service manager is told (sd_notify(3)), without ever waiting for it: sd_notify() itself blocks where nobody reads
// the socket.
#pragma once

#include "base/unique_fd.h"

#include <deque>
#include <string>

namespace safetp::supervisor {

class ServiceManager {
public:
    static constexpr std::size_t kMostPending = 16;

    /// Goes to $NOTIFY_SOCKET, or nowhere. Where the queue is full it waits here for room; the oldest of too many are lost.
    void tell(std::string notice);

    int descriptor() const { return socket_.get(); } ///< writable: call send_pending(); -1: nothing waits
    void send_pending();

private:
    bool send(const std::string& notice); ///< false: it has to wait

    std::deque<std::string> pending_;
    UniqueFd socket_; ///< while something waits
};

} // namespace safetp::supervisor
