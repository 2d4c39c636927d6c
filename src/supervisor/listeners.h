// Listening sockets: bound here or inherited from the service manager, kept by the supervisor over workers and generations,
// so that no connection waiting in a queue is lost.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"
#include "supervisor/plan.h"
#include "supervisor/worker.h"

#include <vector>

namespace safetp::supervisor {

/// Sockets from the service manager, or from the program that this one replaces.
struct InheritedSockets {
    std::vector<UniqueFd> sockets;
    InheritedFit fit = InheritedFit::any;
};

/// From sd_listen_fds(3); takes the variables out of the environment. Close-on-exec and non-blocking from now on. An error when
/// one is not a listening TCP socket.
Result<InheritedSockets> take_inherited_sockets();

/// All listening sockets of one configuration, in the order of its listeners.
class ListenerSet {
public:
    /// One SO_REUSEPORT socket per worker and listener, except where `inherited` has fitting ones, which all workers share.
    /// Sockets of `previous` with the same address and port are taken over (duplicated), so a failure here costs nothing.
    /// Errors are system_call with errno and the address in words.
    static Result<ListenerSet> open(const std::vector<config::Listener>& listeners, unsigned workers,
        const ListenerSet& previous, InheritedSockets inherited);

    std::vector<ListeningSocket> for_worker(unsigned index, unsigned workers) const; ///< borrowed
    std::vector<int> all() const; ///< every socket, borrowed
    void close_all() { entries_.clear(); }
    std::vector<std::string> addresses() const; ///< where each listener listens, for people

private:
    struct Entry {
        std::optional<IpAddress> address;
        std::uint16_t port = 0;
        bool is_inherited = false;
        std::vector<UniqueFd> sockets;
    };
    std::vector<Entry> entries_;
};

} // namespace safetp::supervisor
