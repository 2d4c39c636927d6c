// The only place that reads OpenSSL's error queue. Call ERR_clear_error before, and these right after, the call that failed.
#pragma once

#include "base/result.h"

#include <string>

namespace safetp::tls {

/// Which end the other one is: it decides what a failure means.
enum class OtherEnd { client, server };

/// The oldest entry of the queue in OpenSSL's own words ("wrong version number"), with what it means here where that is
/// known; empty if there is none. Empties the queue.
std::string take_openssl_error(OtherEnd other_end = OtherEnd::client);

/// Whether the oldest entry says that no version of TLS suits both ends. Leaves the queue alone.
bool is_version_mismatch();

/// What X509_V_ERR_... says of a client's certificate, in OpenSSL's words, with what it means here where that is known.
std::string explain_verification(long result);

/// tls_setup: "`what`: the words of take_openssl_error".
std::unexpected<Error> setup_failure(const std::string& what);

} // namespace safetp::tls
