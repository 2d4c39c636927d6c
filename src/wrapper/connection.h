// The connection that inetd(8) handed over: who is at its two ends, as far as the kernel can tell.
#pragma once

#include "access/request.h"
#include "base/ip_address.h"

#include <optional>
#include <string>

namespace safetp::wrapper {

struct Connection {
    int fd = 0;
    std::optional<SocketAddress> client; ///< none: could not be had
    std::optional<SocketAddress> server;
    bool is_stream = false;              ///< ident can be asked
    bool is_unconnected = false;         ///< a datagram waits to be read: eat_datagram() before the process ends
    std::string warning;                 ///< libwrap's words where an end is missing
};

/// Borrows `fd`. For an unconnected datagram socket the client is who sent the datagram that waits there.
Connection identify_connection(int fd);

/// Takes the waiting datagram away, since inetd would start another process for it at once.
void eat_datagram(const Connection& connection);

/// The request that the tables are asked about.
access::Request request_for(const Connection& connection, const std::string& daemon);

} // namespace safetp::wrapper
