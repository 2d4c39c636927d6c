// Which TLS session may be resumed where. Internal to tls/.
//
// A ticket is sealed with its FTP session's own key, and opened by that session's data streams alone: a data stream can resume
// its own FTP session and nothing else, a control stream nothing. TLS 1.2 sessions that are resumed by id are not sealed: so
// each session carries a session id context of two halves, the scope (certificate and rules for clients) and the key's name,
// which OpenSSL stores inside tickets and cached sessions and compares with the stream's own.
// Data streams that did a full handshake leave nothing to resume: otherwise a stranger's first, unbound data connection
// would give him what makes his second one look bound.
#pragma once

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/openssl_types.h"
#include "tls/ticket_key.h"

#include <array>
#include <chrono>
#include <map>
#include <string>

namespace safetp::tls {

using SessionIdContext = std::array<unsigned char, 32>;
SessionIdContext join(const Scope& scope, const TicketKey::Name& name);

/// For TLS 1.2 clients without tickets: the sessions of the control streams that live, by session id. Data streams get copies,
/// because OpenSSL spoils a session whose connection fails, and a failed transfer must not cost the next one its resumption.
using SessionsById = std::map<std::string, SessionPtr>;

/// Puts the callbacks on.
void install_tickets(SSL_CTX* context, std::chrono::seconds lifetime);

} // namespace safetp::tls
