// The only place that reads OpenSSL's error queue. Call ERR_clear_error before, and these right after, the call that failed.
#pragma once

#include "base/result.h"

#include <string>

namespace safetp::tls {

/// The oldest entry of the queue in OpenSSL's own words ("wrong version number"), with what it means here where that is
/// known; empty if there is none. Empties the queue.
std::string take_openssl_error();

/// tls_setup: "`what`: the words of take_openssl_error".
std::unexpected<Error> setup_failure(const std::string& what);

} // namespace safetp::tls
