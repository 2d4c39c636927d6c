// What a ClientHello asks for: host name (SNI, RFC 6066 section 3) and protocol (ALPN, RFC 7301). Internal to tls/.
#pragma once

#include "tls/openssl_types.h"

namespace safetp::tls {

/// Chooses the certificate by name before OpenSSL looks at tickets, so that a ticket is judged under the right certificate.
/// A client that offers ALPN must offer "ftp" (against cross-protocol attacks); one that offers none is welcome.
void install_hello(SSL_CTX* context);

} // namespace safetp::tls
