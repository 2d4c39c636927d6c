// Two connections whose bytes are passed on unread, whatever they mean.
#pragma once

#include "net/channel.h"
#include "net/tasks.h"

#include <cstddef>
#include <span>

namespace safetp::proxy {

/// Borrows both channels, which are closed when run() returns.
class BlindRelay {
public:
    /// `buffer_bytes` are taken for each direction.
    BlindRelay(const net::Executor& executor, net::Channel& client, net::Channel& server, std::size_t buffer_bytes);
    BlindRelay(const BlindRelay&) = delete;

    /// Until both ends have ended. An end's FIN is passed on as FIN and leaves the other direction open; a reset is passed on
    /// as a reset.
    net::Task<> run();

    /// All of them, to one of the two. False: it takes no more.
    static net::Task<bool> write(net::Channel& to, std::span<const std::byte> bytes);

    void finish(); ///< from now on the first end that is seen ends both directions
    void cut();    ///< resets both ends now

private:
    net::Task<> pass(net::Channel& from, net::Channel& to);
    void close();

    net::Executor executor_;
    net::Channel& client_;
    net::Channel& server_;
    std::size_t buffer_bytes_;
    bool has_ended_ = false; ///< one direction
    bool is_finishing_ = false;
};

} // namespace safetp::proxy
