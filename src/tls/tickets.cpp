#include "tls/tickets.h"

#include "tls/context_impl.h"
#include "tls/openssl_versions.h"
#include "tls/tls_session.h"

#include <algorithm>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace safetp::tls {

namespace {

bool set_mac_key(EVP_MAC_CTX* mac, TicketKey::Secret key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const bool is_set = EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(key.data(), key.size());
    return is_set;
}

bool seal(const EVP_CIPHER* with, const TicketKey& key, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher)
{
    std::ranges::copy(key.name(), name);
    return RAND_bytes(iv, EVP_CIPHER_get_iv_length(with)) == 1
        && EVP_EncryptInit_ex2(cipher, with, key.cipher_key().data(), iv, nullptr) == 1;
}

/// As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: 1 used, 0 another key's ticket, -1 failed.
int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypting)
{
    const EVP_CIPHER* const with = impl_of(ssl).ticket_cipher.get();
    const TicketKey* const key = TlsSession::of(ssl).ticket_key();
    if (key == nullptr || (encrypting == 0 && !std::equal(key->name().begin(), key->name().end(), name)))
        return 0;
    const bool is_ready = encrypting != 0 ? seal(with, *key, name, iv, cipher)
                                          : EVP_DecryptInit_ex2(cipher, with, key->cipher_key().data(), iv, nullptr) == 1;
    return is_ready && set_mac_key(mac, key->mac_key()) ? 1 : -1;
}

std::span<const unsigned char> id_context_of(const SSL_SESSION* session)
{
    unsigned size = 0;
    const unsigned char* const bytes = SSL_SESSION_get0_id_context(session, &size);
    return {bytes, size};
}

bool starts_with(std::span<const unsigned char> id_context, const Scope& scope)
{
    return id_context.size() == SessionIdContext{}.size() && std::equal(scope.begin(), scope.end(), id_context.begin());
}

/// Made under this stream's own rules and certificate? A data connection that names no host is taken to mean its control
/// connection's: many clients send a name on the control connection only.
bool is_of_scope(std::span<const unsigned char> id_context, const TlsSession& stream)
{
    if (!stream.server_name().empty())
        return starts_with(id_context, stream.identity().scope);
    return std::ranges::any_of(stream.context().identities,
                               [&](const Identity& identity) { return starts_with(id_context, identity.scope); });
}

bool is_of_ftp_session(std::span<const unsigned char> id_context, const TlsSession& stream)
{
    const TicketKey* const key = stream.ticket_key();
    return key != nullptr && is_of_scope(id_context, stream)
        && std::ranges::equal(key->name(), id_context.subspan(Scope{}.size()));
}

/// Whether a data stream takes it.
bool take(SSL_SESSION* session, const TlsSession& stream)
{
    if (!is_of_ftp_session(id_context_of(session), stream))
        return false;
    // The FTP session still lives, so its ticket does: long sessions must not lose their data connections.
    make_young(session);
    return stream.label(session);
}

SSL_TICKET_RETURN on_ticket_opened(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                                   void*)
{
    const TlsSession& stream = TlsSession::of(ssl);
    if (stream.purpose() == Purpose::control) // a session that is over leaves nothing to resume
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    const bool is_open = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!is_open || !take(session, stream))
        return SSL_TICKET_RETURN_IGNORE;
    return stream.wants_psk_ke() && !prefer_psk_ke(ssl) ? SSL_TICKET_RETURN_ABORT : SSL_TICKET_RETURN_USE;
}

std::string text_of(const unsigned char* id, std::size_t size) { return {id, id + size}; }

/// Gives 1 if the reference to `session` is kept.
int on_new_session(SSL* ssl, SSL_SESSION* session)
{
    TlsSession& stream = TlsSession::of(ssl);
    if (stream.purpose() != Purpose::control || SSL_SESSION_get_protocol_version(session) != TLS1_2_VERSION)
        return 0;
    unsigned size = 0;
    const unsigned char* const bytes = SSL_SESSION_get_id(session, &size);
    const std::string id = text_of(bytes, size);
    impl_of(ssl).sessions_by_id[id].reset(session);
    stream.note_session_id(id);
    return 1;
}

SSL_SESSION* on_session_id(SSL* ssl, const unsigned char* bytes, int size, int* adds_reference)
{
    *adds_reference = 0;
    const TlsSession& stream = TlsSession::of(ssl);
    const SessionsById& sessions = impl_of(ssl).sessions_by_id;
    const auto found = sessions.find(text_of(bytes, static_cast<std::size_t>(size)));
    if (stream.purpose() != Purpose::data || found == sessions.end())
        return nullptr;
    SessionPtr copy(SSL_SESSION_dup(found->second.get()));
    return copy && take(copy.get(), stream) ? copy.release() : nullptr;
}

} // namespace

SessionIdContext join(const Scope& scope, const TicketKey::Name& name)
{
    SessionIdContext joined{};
    std::ranges::copy(name, std::ranges::copy(scope, joined.begin()).out);
    return joined;
}

void install_tickets(SSL_CTX* context, std::chrono::seconds lifetime)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    SSL_CTX_sess_set_get_cb(context, on_session_id);
    SSL_CTX_set_timeout(context, static_cast<long>(lifetime.count()));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key);
    SSL_CTX_set_session_ticket_cb(context, nullptr, on_ticket_opened, nullptr);
}

} // namespace safetp::tls
