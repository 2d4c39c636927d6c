#include "tls/context.h"

#include "tls/authorities.h"
#include "tls/context_impl.h"
#include "tls/hello.h"
#include "tls/openssl_error.h"

#include <algorithm>
#include <cstdlib>
#include <openssl/err.h>

namespace safetp::tls {

namespace {

// The cheapest safe cipher first; SSL_OP_PRIORITIZE_CHACHA turns that round for clients that put ChaCha20 first themselves
// (no AES instructions).
constexpr const char* kCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                                 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr const char* kCiphersuites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr int kSecurityLevel = 2; // 112 bits: RSA from 2048, no SHA-1 signatures

bool is_same_kind(const KeyPair& a, const KeyPair& b)
{
    return EVP_PKEY_get_base_id(a.key.get()) == EVP_PKEY_get_base_id(b.key.get());
}

/// A certificate with the names of an earlier one and another kind of key joins it: the client's algorithms choose.
void add_identity(std::vector<Identity>& identities, KeyPair pair)
{
    std::vector<std::string> names = names_of(pair.certificate.get());
    for (Identity& identity : identities) {
        const bool is_new_kind = std::ranges::none_of(identity.pairs, [&](const KeyPair& p) { return is_same_kind(p, pair); });
        if (identity.names == names && is_new_kind) {
            identity.pairs.push_back(std::move(pair));
            return;
        }
    }
    Identity& identity = identities.emplace_back();
    identity.pairs.push_back(std::move(pair));
    identity.names = std::move(names);
}

Result<int> version_number(const std::string& text)
{
    if (text == "1.2")
        return TLS1_2_VERSION;
    if (text == "1.3")
        return TLS1_3_VERSION;
    return fail(ErrorCode::tls_setup, 0, "minimum TLS version \"" + text + "\": only \"1.2\" and \"1.3\" are known");
}

} // namespace

Result<void> set_rules(SSL_CTX* context, const ContextOptions& options)
{
    const auto version = version_number(options.minimum_version);
    if (!version)
        return std::unexpected(version.error());
    ERR_clear_error();
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_security_level(context, kSecurityLevel);
    if (SSL_CTX_set_min_proto_version(context, *version) != 1 || SSL_CTX_set_max_proto_version(context, 0) != 1)
        return setup_failure("minimum TLS version " + options.minimum_version);
    const std::string ciphers = options.ciphers.empty() ? kCiphers : options.ciphers;
    if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1)
        return setup_failure("ciphers \"" + ciphers + "\"");
    if (SSL_CTX_get_security_level(context) < kSecurityLevel)
        return fail(ErrorCode::tls_setup, 0, "ciphers \"" + ciphers + "\": a security level below 2 is not allowed");
    const std::string suites = options.ciphersuites.empty() ? kCiphersuites : options.ciphersuites;
    if (SSL_CTX_set_ciphersuites(context, suites.c_str()) != 1)
        return setup_failure("ciphersuites \"" + suites + "\"");
    if (SSL_CTX_set1_groups_list(context, kGroups) != 1)
        return setup_failure("key exchange groups");
    return {};
}

namespace {

Result<void> load_identities(ServerContext::Impl& impl, const ContextOptions& options)
{
    if (options.certificates.empty())
        return fail(ErrorCode::tls_setup, 0, "no certificate is configured");
    // Each is tried now, so that a weak one is found at start and not when a client first asks for it.
    const SslPtr trial(SSL_new(impl.ssl_ctx.get()));
    for (const CertificateFiles& files : options.certificates) {
        auto pair = load_key_pair(files);
        if (!pair)
            return std::unexpected(pair.error());
        ERR_clear_error();
        if (SSL_use_cert_and_key(trial.get(), pair->certificate.get(), pair->key.get(), pair->chain.get(), 1) != 1)
            return setup_failure(files.certificate);
        add_identity(impl.identities, std::move(*pair));
    }
    return {};
}

Result<void> use_default_identity(ServerContext::Impl& impl)
{
    ERR_clear_error();
    for (const KeyPair& pair : impl.identities.front().pairs) {
        if (SSL_CTX_use_cert_and_key(impl.ssl_ctx.get(), pair.certificate.get(), pair.key.get(), pair.chain.get(), 1) != 1)
            return setup_failure("the default certificate");
    }
    return {};
}

Result<void> ask_for_client_certificates(SSL_CTX* context, const ContextOptions& options)
{
    if (options.client_certificate == ClientCertificate::off)
        return {};
    if (options.client_ca.empty())
        return fail(ErrorCode::tls_setup, 0, "client certificates are asked for, but no client CA file is configured");
    if (const auto loaded = load_authorities(context, options.client_ca); !loaded)
        return loaded;
    if (!options.client_crl.empty()) {
        if (const auto loaded = load_revocation_lists(context, options.client_crl); !loaded)
            return loaded;
    }
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(options.client_ca.c_str());
    if (names == nullptr)
        return setup_failure("client CA " + options.client_ca);
    SSL_CTX_set_client_CA_list(context, names); // takes ownership
    const bool is_required = options.client_certificate == ClientCertificate::require;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
    return {};
}

/// Sessions are resumed under the same certificate and the same rules for client certificates only. Another client CA or
/// certificate file takes a new context in any case; the scope keeps apart what shares one context.
Scope make_scope(const Identity& identity, ClientCertificate rule)
{
    std::array<unsigned char, 33> input{};
    const auto leaf = sha256_of(identity.pairs.front().certificate.get());
    std::ranges::copy(leaf, input.begin());
    input.back() = static_cast<unsigned char>(rule);
    std::array<unsigned char, 32> digest{};
    if (EVP_Digest(input.data(), input.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
        std::abort(); // without SHA-256 there is no TLS
    Scope scope{};
    std::copy_n(digest.begin(), scope.size(), scope.begin());
    return scope;
}

} // namespace

ServerContext::ServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerContext::ServerContext(ServerContext&&) noexcept = default;
ServerContext& ServerContext::operator=(ServerContext&&) noexcept = default;
ServerContext::~ServerContext() = default;

Result<ServerContext> ServerContext::make(const ContextOptions& options)
{
    auto impl = std::make_unique<Impl>(options);
    ERR_clear_error();
    impl->ssl_ctx.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* const context = impl->ssl_ctx.get();
    if (context == nullptr)
        return setup_failure("OpenSSL");
    if (const auto rules = set_rules(context, options); !rules)
        return std::unexpected(rules.error());
    if (const auto loaded = load_identities(*impl, options); !loaded)
        return std::unexpected(loaded.error());
    if (const auto used = use_default_identity(*impl); !used)
        return std::unexpected(used.error());
    if (const auto asked = ask_for_client_certificates(context, options); !asked)
        return std::unexpected(asked.error());
    for (Identity& identity : impl->identities)
        identity.scope = make_scope(identity, options.client_certificate);
    impl->ticket_cipher.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
    if (!impl->ticket_cipher)
        return setup_failure("the cipher of tickets");
    SSL_CTX_set_app_data(context, impl.get());
    install_tickets(context, options.ticket_lifetime);
    install_hello(context);
    return ServerContext(std::move(impl));
}

std::string ServerContext::certificate_fingerprint() const
{
    return hex(sha256_of(impl_->identities.front().pairs.front().certificate.get()), true);
}

std::string ServerContext::public_key_pin() const
{
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(impl_->identities.front().pairs.front().key.get(), &der);
    if (size <= 0)
        return {};
    std::array<unsigned char, 32> digest{};
    EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
    OPENSSL_free(der);
    std::array<unsigned char, 45> base64{}; // 44 and a NUL
    const int written = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
    return "sha256//" + std::string(base64.begin(), base64.begin() + written);
}

} // namespace safetp::tls
