#include "tls/tickets.h"

#include "tls/authorities.h"
#include "tls/context_impl.h"
#include "tls/tls_session.h"

#include <algorithm>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace safetp::tls {

namespace {

constexpr std::size_t kNameBytes = 16; // SSL_CTX_set_tlsext_ticket_key_evp_cb(3)

int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypting)
{
    TicketKeys& keys = impl_of(ssl).ticket_keys;
    return encrypting != 0 ? keys.seal(name, iv, cipher, mac) : keys.open(name, iv, cipher, mac);
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
    if (stream.purpose() == Purpose::control || !stream.server_name().empty())
        return starts_with(id_context, stream.identity().scope);
    return std::ranges::any_of(stream.context().identities,
                               [&](const Identity& identity) { return starts_with(id_context, identity.scope); });
}

/// Nothing is judged anew at a resumption, so what would refuse it now must be looked at.
bool is_client_certificate_expired(SSL_SESSION* session, const SSL_CTX* context)
{
    const X509* const certificate = SSL_SESSION_get0_peer(session);
    return certificate != nullptr
        && (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0 || is_list_out_of_date(context));
}

SSL_TICKET_RETURN decide_on_data(SSL_SESSION* session, const TlsSession& stream)
{
    const auto theirs = id_context_of(session);
    const SessionBinding& binding = stream.binding();
    if (!is_of_scope(theirs, stream) || !std::equal(binding.begin(), binding.end(), theirs.begin() + Scope{}.size()))
        return SSL_TICKET_RETURN_IGNORE;
    // The FTP session still lives, so its ticket does: long sessions must not lose their data connections.
    make_young(session);
    return stream.label(session) ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_ABORT;
}

SSL_TICKET_RETURN decide_on_control(SSL_SESSION* session, const TlsSession& stream)
{
    if (!is_of_scope(id_context_of(session), stream) || is_client_certificate_expired(session, stream.context().ssl_ctx.get()))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return stream.label(session) ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_ABORT;
}

SSL_TICKET_RETURN on_ticket_opened(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                                   void*)
{
    const TlsSession& stream = TlsSession::of(ssl);
    const bool is_data = stream.purpose() == Purpose::data;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return is_data ? SSL_TICKET_RETURN_IGNORE : SSL_TICKET_RETURN_IGNORE_RENEW;
    return is_data ? decide_on_data(session, stream) : decide_on_control(session, stream);
}

/// HMAC-SHA-256 of a label, which says nothing of the secret and of other labels' results.
template <std::size_t size>
bool derive(const std::array<unsigned char, 32>& secret, const char (&label)[size], std::array<unsigned char, 32>& result)
{
    unsigned length = 0;
    return HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(label),
               size - 1, result.data(), &length) != nullptr
        && length == result.size();
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
    return copy && decide_on_data(copy.get(), stream) == SSL_TICKET_RETURN_USE ? copy.release() : nullptr;
}

} // namespace

SessionIdContext join(const Scope& scope, const SessionBinding& binding)
{
    SessionIdContext joined{};
    std::ranges::copy(binding, std::ranges::copy(scope, joined.begin()).out);
    return joined;
}

void make_young(SSL_SESSION* session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L // here it came, and the other was deprecated: Debian 12 has 3.0, Debian 13 has 3.5
    SSL_SESSION_set_time_ex(session, ::time(nullptr));
#else
    SSL_SESSION_set_time(session, ::time(nullptr));
#endif
}

TicketKeys::TicketKeys(std::chrono::seconds lifetime) : lifetime_(lifetime) {}

TicketKeys::~TicketKeys()
{
    OPENSSL_cleanse(secret_.data(), secret_.size());
    for (Key& key : keys_)
        OPENSSL_cleanse(&key, sizeof key);
}

bool TicketKeys::prepare()
{
    cipher_.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
    return cipher_ && draw_secret();
}

bool TicketKeys::draw_secret()
{
    made_ = ::time(nullptr);
    return RAND_priv_bytes(secret_.data(), static_cast<int>(secret_.size())) == 1 && add_key();
}

bool TicketKeys::renew()
{
    const std::int64_t due = (::time(nullptr) - made_) / lifetime_.count();
    if (due > kMostAtOnce)
        return draw_secret();
    for (std::int64_t i = 0; i < due; ++i) {
        if (!step())
            return false;
    }
    return true;
}

bool TicketKeys::step()
{
    Secret next{};
    made_ += lifetime_.count();
    const bool is_derived = derive(secret_, "next", next);
    secret_ = next; // the one before is gone
    OPENSSL_cleanse(next.data(), next.size());
    return is_derived && add_key();
}

bool TicketKeys::add_key()
{
    Key& key = keys_.emplace_front();
    const bool is_made = derive(secret_, "name", key.name) && derive(secret_, "cipher", key.cipher_key)
        && derive(secret_, "mac", key.mac_key);
    if (!is_made) {
        keys_.pop_front();
        return false;
    }
    if (keys_.size() > 1 + kRetiredKeys) {
        OPENSSL_cleanse(&keys_.back(), sizeof(Key));
        keys_.pop_back();
    }
    return true;
}

bool TicketKeys::set_mac_key(EVP_MAC_CTX* mac, Key& key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac_key.data(), key.mac_key.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

int TicketKeys::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac)
{
    if (!renew())
        return -1;
    Key& key = keys_.front();
    std::copy_n(key.name.begin(), kNameBytes, name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_.get())) != 1)
        return -1;
    const bool is_ready = EVP_EncryptInit_ex2(cipher, cipher_.get(), key.cipher_key.data(), iv, nullptr) == 1;
    return is_ready && set_mac_key(mac, key) ? 1 : -1;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac)
{
    if (!renew())
        return -1;
    const auto key = std::ranges::find_if(
        keys_, [name](const Key& candidate) { return std::equal(name, name + kNameBytes, candidate.name.begin()); });
    if (key == keys_.end())
        return 0;
    const bool is_ready = EVP_DecryptInit_ex2(cipher, cipher_.get(), key->cipher_key.data(), iv, nullptr) == 1;
    return is_ready && set_mac_key(mac, *key) ? 1 : -1;
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
