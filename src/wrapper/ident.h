// Asks the client's machine who the client is: RFC 1413. Blocking, one deadline for connecting and for the answer together.
#pragma once

#include "base/ip_address.h"

#include <chrono>
#include <string>

namespace safetp::wrapper {

/// The user, or access::kUnknown for every failure. The query leaves from `server`'s address, as the client's machine knows the
/// connection by it. Endpoints as the kernel has them: both of one family, else there is nothing to ask. No signals are used.
std::string ask_ident(const SocketAddress& client, const SocketAddress& server, std::chrono::milliseconds time);

} // namespace safetp::wrapper
