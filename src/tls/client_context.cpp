#include "tls/client_context.h"

#include "tls/authorities.h"
#include "tls/certificate.h"
#include "tls/client_context_impl.h"
#include "tls/openssl_error.h"
#include "tls/tls_session.h"

#include <algorithm>
#include <openssl/err.h>

namespace safetp::tls {

namespace {

constexpr int kSecurityLevel = 2; // 112 bits: RSA from 2048, no SHA-1 signatures
constexpr std::size_t kMaxTickets = 32;

// OpenSSL's own list, less what has no forward secrecy *and* a broken mode: servers are older than clients, and TLS 1.2 with
// AES-CBC is still better than an FTP session in clear.
constexpr const char* kCiphers = "DEFAULT:!3DES:!RC4:!aNULL:!eNULL:!MD5:!PSK:!SRP";

int on_certificate(X509_STORE_CTX* verification, void*)
{
    const auto* const ssl
        = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const bool is_accepted = TlsSession::of(ssl).judge_server(verification);
    X509_STORE_CTX_set_error(verification, is_accepted ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return is_accepted ? 1 : 0;
}

Result<void> set_rules(SSL_CTX* context, const ClientOptions& options)
{
    if (options.minimum_version != "1.2" && options.minimum_version != "1.3")
        return fail(ErrorCode::tls_setup, 0,
            "minimum TLS version \"" + options.minimum_version + "\": only \"1.2\" and \"1.3\" are known");
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET | SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_security_level(context, kSecurityLevel);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, on_certificate, nullptr);
    const int version = options.minimum_version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (SSL_CTX_set_min_proto_version(context, version) != 1 || SSL_CTX_set_max_proto_version(context, 0) != 1)
        return setup_failure("minimum TLS version " + options.minimum_version);
    if (SSL_CTX_set_cipher_list(context, kCiphers) != 1)
        return setup_failure("ciphers");
    return {};
}

Result<void> know_authorities(SSL_CTX* context, const std::string& file)
{
    if (file.empty())
        return SSL_CTX_set_default_verify_paths(context) == 1 ? Result<void>() : setup_failure("the system's authorities");
    return load_authorities(context, file);
}

Result<void> load_certificate(SSL_CTX* context, const CertificateFiles& files)
{
    if (files.certificate.empty())
        return {};
    const auto pair = load_key_pair(files);
    if (!pair)
        return std::unexpected(pair.error());
    if (SSL_CTX_use_cert_and_key(context, pair->certificate.get(), pair->key.get(), pair->chain.get(), 1) != 1)
        return setup_failure(files.certificate);
    return {};
}

/// Gives 1 if the reference to `session` is kept.
int on_new_session(SSL* ssl, SSL_SESSION* session)
{
    const TlsSession& stream = TlsSession::of(ssl);
    stream.client_session().add(session, stream.purpose());
    return 1;
}

bool is_single_use(const SSL_SESSION* session) { return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION; }

} // namespace

ClientContext::ClientContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClientContext::ClientContext(ClientContext&&) noexcept = default;
ClientContext& ClientContext::operator=(ClientContext&&) noexcept = default;
ClientContext::~ClientContext() = default;

Result<ClientContext> ClientContext::make(const ClientOptions& options)
{
    auto impl = std::make_unique<Impl>();
    ERR_clear_error();
    impl->ssl_ctx.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* const context = impl->ssl_ctx.get();
    if (context == nullptr)
        return setup_failure("OpenSSL");
    if (const auto ruled = set_rules(context, options); !ruled)
        return std::unexpected(ruled.error());
    if (const auto loaded = know_authorities(context, options.authorities); !loaded)
        return std::unexpected(loaded.error());
    if (const auto loaded = load_certificate(context, options.certificate); !loaded)
        return std::unexpected(loaded.error());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    return ClientContext(std::move(impl));
}

ClientSession::ClientSession(const ClientContext& context, PeerJudge peer)
    : impl_(new Impl{.context = context.impl(), .peer = std::move(peer), .key_fingerprint = {}, .tickets = {}})
{
}
ClientSession::ClientSession(ClientSession&&) noexcept = default;
ClientSession& ClientSession::operator=(ClientSession&&) noexcept = default;
ClientSession::~ClientSession() = default;

void ClientSession::unsafe_accept_missing_close_notify() { impl_->needs_close_notify = false; }

std::size_t ClientSession::unused_tickets() const
{
    return static_cast<std::size_t>(std::ranges::count_if(impl_->tickets,
        [](const Impl::Ticket& ticket) { return ticket.uses == 0 || !is_single_use(ticket.session.get()); }));
}

void ClientSession::Impl::add(SSL_SESSION* session, Purpose from)
{
    // What a data connection under TLS 1.2 brings is the control connection's own session once more.
    tickets.push_front({SessionPtr(session), from, 0});
    if (tickets.size() > kMaxTickets)
        tickets.pop_back();
}

SessionPtr ClientSession::Impl::take()
{
    Ticket* best = nullptr;
    const auto rank = [](const Ticket& ticket) {
        const unsigned uses = is_single_use(ticket.session.get()) ? ticket.uses : 0;
        return std::pair(uses, ticket.from == Purpose::control ? 0 : 1);
    };
    for (Ticket& ticket : tickets) { // the newest of equals, because it comes first
        if (SSL_SESSION_is_resumable(ticket.session.get()) == 1 && (best == nullptr || rank(ticket) < rank(*best)))
            best = &ticket;
    }
    if (best == nullptr)
        return {};
    ++best->uses;
    return SessionPtr(SSL_SESSION_dup(best->session.get()));
}

} // namespace safetp::tls
