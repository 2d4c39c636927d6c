// The facts of a certificate in the middle of its verification. Internal to tls/.
#pragma once

#include "tls/openssl_types.h"
#include "tls/peer_certificate.h"

namespace safetp::tls {

/// For a callback of SSL_CTX_set_cert_verify_callback(3): runs the system's own verification and gives what it found, whatever
/// that is. Leaves OpenSSL's error queue empty. The caller sets the verification's error.
PeerCertificate examine_peer(X509_STORE_CTX* verification, const std::string& host);

} // namespace safetp::tls
