// The client side's part of a TlsSession: what happens before and in a handshake with a server.
#include "base/zoned_address.h"
#include "tls/openssl_versions.h"
#include "tls/tls_session.h"
#include "tls/verify.h"

#include <openssl/err.h>

namespace safetp::tls {

namespace {

/// SNI, which has no room for addresses (RFC 6066 section 3). As SSL_set_tlsext_host_name, whose macro casts the old way.
bool name_server(SSL* ssl, std::string host)
{
    if (ZonedAddress::parse(host))
        return true;
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) == 1;
}

} // namespace

std::unique_ptr<TlsSession> TlsSession::make_client(ClientSession::Impl& session, int fd, Purpose purpose)
{
    ERR_clear_error();
    std::unique_ptr<TlsSession> made(new TlsSession(session, fd, purpose));
    return made->prepare_client() ? std::move(made) : nullptr;
}

bool TlsSession::prepare_client()
{
    ssl_.reset(SSL_new(client_session_->context.ssl_ctx.get()));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1)
        return false;
    SSL* const ssl = ssl_.get();
    SSL_set_app_data(ssl, this);
    SSL_set_connect_state(ssl);
    SSL_set_msg_callback(ssl, count_record);
    SSL_set_msg_callback_arg(ssl, this);
    if (purpose_ == Purpose::control)
        SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); // idle most of the time
    if (!name_server(ssl, client_session_->peer.host))
        return false;
    if (purpose_ == Purpose::control)
        return true;
    allow_psk_ke(ssl); // the server's to choose; one of ours does so only under a key that lives no longer than the session
    const SessionPtr ticket = client_session_->take();
    return !ticket || SSL_set_session(ssl, ticket.get()) == 1;
}

/// The first certificate of the FTP session is put before its judge, in the middle of the handshake: before our own certificate
/// is sent. Whoever shows another key on a data connection is not that server.
bool TlsSession::judge_server(X509_STORE_CTX* verification)
{
    ClientSession::Impl& session = *client_session_;
    server_ = examine_peer(verification, session.peer.host);
    if (purpose_ == Purpose::data) {
        const bool is_same = !server_->key_fingerprint.empty() && server_->key_fingerprint == session.key_fingerprint;
        if (!is_same) {
            refusal_code_ = ErrorCode::tls_other_key;
            refusal_ = "expected " + session.key_fingerprint + ", got " + server_->key_fingerprint;
        }
        return is_same;
    }
    if (server_->key_fingerprint.empty() || !session.peer.judge(*server_)) {
        refusal_code_ = ErrorCode::tls_untrusted;
        refusal_ = server_->key_fingerprint.empty() ? "its public key cannot be read" : server_->key_fingerprint;
        return false;
    }
    session.key_fingerprint = server_->key_fingerprint;
    return true;
}

HandshakeInfo TlsSession::client_handshake_info() const
{
    const SSL* const ssl = ssl_.get();
    HandshakeInfo info;
    info.version = SSL_get_version(ssl);
    info.cipher = SSL_get_cipher_name(ssl);
    info.server_name = client_session_->peer.host;
    info.is_resumed = SSL_session_reused(ssl) == 1;
    info.is_bound = info.is_resumed && purpose_ == Purpose::data; // from this FTP session's own tickets, and no others
    info.server = server_;
    return info;
}

} // namespace safetp::tls
