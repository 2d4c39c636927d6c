// What OpenSSL 3.0 (Debian 12) and 3.5 (Debian 13) do in different ways. Internal to tls/.
#pragma once

#include "tls/openssl_types.h"

#include <ctime>

namespace safetp::tls {

/// The age of `session` counts from now: its ticket has its whole lifetime before it.
inline void make_young(SSL_SESSION* session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L // here it came, and the other was deprecated
    SSL_SESSION_set_time_ex(session, ::time(nullptr));
#else
    SSL_SESSION_set_time(session, ::time(nullptr));
#endif
}

/// Before the handshake: a session may be resumed without a key exchange (psk_ke, RFC 8446 section 4.2.9).
inline void allow_psk_ke(SSL* ssl)
{
    SSL_set_options(ssl, SSL_OP_ALLOW_NO_DHE_KEX);
#ifdef SSL_OP_PREFER_NO_DHE_KEX // since 3.3
    SSL_set_options(ssl, SSL_OP_PREFER_NO_DHE_KEX);
#endif
}

/// In the server's ticket callback: the session that it is about to take shall be resumed so, which the client offers. OpenSSL
/// before 3.3 takes a key exchange wherever there can be one: so there is none that it can agree on.
inline bool prefer_psk_ke([[maybe_unused]] SSL* ssl)
{
#ifdef SSL_OP_PREFER_NO_DHE_KEX
    return true; // allow_psk_ke has said it
#else
    return SSL_set1_groups_list(ssl, "secp256k1") == 1; // which RFC 8446 section 4.2.7 leaves out
#endif
}

} // namespace safetp::tls
