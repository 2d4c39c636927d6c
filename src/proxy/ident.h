// Asks the client's machine who the client is (RFC 1413), without holding anybody else up.
#pragma once

#include "base/ip_address.h"
#include "proxy/access_helper.h"

#include <chrono>
#include <string>

namespace safetp::proxy {

/// The user, or access::kUnknown for every failure: refused, silent for `time`, or an answer that is none. The query leaves
/// from the address that the client reached.
net::Task<std::string> ask_ident(
    net::Executor executor, Endpoint client, Endpoint local, std::chrono::seconds time, AccessWait& wait);

} // namespace safetp::proxy
