// The inside of ServerContext. Internal to tls/.
#pragma once

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/openssl_types.h"
#include "tls/tickets.h"

#include <vector>

namespace safetp::tls {

struct ServerContext::Impl {
    explicit Impl(const ContextOptions& options)
        : refuse_unknown_names(options.refuse_unknown_names), data_key_exchange(options.data_key_exchange)
    {
    }

    SslCtxPtr ssl_ctx;                ///< its application data is this object
    std::vector<Identity> identities; ///< never empty; the first is the default
    bool refuse_unknown_names;
    DataKeyExchange data_key_exchange;
    CipherPtr ticket_cipher;
    SessionsById sessions_by_id; ///< this changes, though streams see the rest as constant
};

/// Versions, ciphers, groups: what `options` say of them, or tls_setup.
Result<void> set_rules(SSL_CTX* context, const ContextOptions& options);

inline ServerContext::Impl& impl_of(const SSL* ssl)
{
    return *static_cast<ServerContext::Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

} // namespace safetp::tls
