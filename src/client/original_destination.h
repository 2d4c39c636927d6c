// Connections that were meant for somebody else and that the kernel's packet filter has led here.
#pragma once

#include "base/ip_address.h"

namespace safetp::client {

/// How they are led here: by NAT to an address of this machine, or as they are, to a transparent socket.
enum class Interception { redirect, tproxy };

/// What the client of the accepted connection `fd` has dialled. bad_address: it has really dialled us, so there is no server
/// to go to. SO_ORIGINAL_DST (nf_conntrack), or for tproxy the connection's own local address
/// (Documentation/networking/tproxy.rst of the kernel); `listen_port` is the listener's own.
Result<Endpoint> original_destination(int fd, Interception how, std::uint16_t listen_port);

} // namespace safetp::client
