// The insides of ClientContext and ClientSession. Internal to tls/.
#pragma once

#include "tls/client_context.h"
#include "tls/openssl_types.h"
#include "tls/peer_certificate.h"

#include <deque>
#include <string>

namespace safetp::tls {

struct ClientContext::Impl {
    SslCtxPtr ssl_ctx;
};

struct ClientSession::Impl {
    struct Ticket {
        SessionPtr session;
        Purpose from = Purpose::control;
        unsigned uses = 0;
    };

    const ClientContext::Impl& context;
    PeerJudge peer;
    std::string key_fingerprint; ///< of the server, once judged
    bool needs_close_notify = true; ///< on data connections
    std::deque<Ticket> tickets; ///< the newest first

    void add(SSL_SESSION* session, Purpose from); ///< takes over one reference
    /// A copy, because OpenSSL spoils the session of a connection that fails. Null: there is nothing to resume.
    SessionPtr take();
};

} // namespace safetp::tls
