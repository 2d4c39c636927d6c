// A tls::Stream with somebody who waits for it: the only place where a session suspends for I/O.
#pragma once

#include "net/asio.h"
#include "tls/stream.h"

namespace safetp::net {

/// Owns its socket. Several coroutines may wait at once; each must look at is_open() after a wait that was cancelled.
class Channel {
public:
    Channel(const Executor& executor, UniqueFd fd); ///< makes the descriptor non-blocking
    Channel(Channel&&) = default;
    ~Channel();

    tls::Stream& stream() { return stream_; }
    int fd() const { return stream_.fd(); }

    /// Until the socket is ready for what an IoStep wanted. False: cancelled or closed meanwhile.
    Task<bool> wait(tls::IoStep::Kind want);

    /// After start_tls. Done, or failed, or what it still waited for when it was cancelled or closed.
    Task<tls::IoStep> shake_hands();

    void cancel_waits();
    void end_in_order(); ///< FIN, also where the socket was set to reset on close; can be read from still
    void close(); ///< FIN (or RST where something is unread)
    void reset(); ///< RST
    bool is_open() const { return waiter_.is_open(); }

private:
    tls::Stream stream_; // owns the descriptor; waiter_ only borrows it and lets go first
    Descriptor waiter_;
};

} // namespace safetp::net
