// Handshakes with ourselves: what could never work is found at the start, and not by the first client.
#include "tls/context_impl.h"
#include "tls/openssl_error.h"

#include <algorithm>
#include <array>
#include <openssl/err.h>

namespace safetp::tls {

namespace {

constexpr int kMostTurns = 100; // a handshake has two or three, more where a chain does not fit into the buffers
constexpr const char* kAllSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                                   "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256";

struct Version {
    int number;
    const char* name;
};
constexpr std::array kVersions{Version{TLS1_2_VERSION, "1.2"}, Version{TLS1_3_VERSION, "1.3"}};

/// Takes every cipher, and of keys and groups what OpenSSL's clients take by themselves: what fails with it fails with all.
SslCtxPtr make_client(int version)
{
    SslCtxPtr client(SSL_CTX_new(TLS_client_method()));
    const bool is_made = client && SSL_CTX_set_cipher_list(client.get(), "ALL:@SECLEVEL=0") == 1
        && SSL_CTX_set_ciphersuites(client.get(), kAllSuites) == 1
        && SSL_CTX_set_min_proto_version(client.get(), version) == 1
        && SSL_CTX_set_max_proto_version(client.get(), version) == 1;
    return is_made ? std::move(client) : nullptr;
}

bool wants_more(const SSL* ssl, int result)
{
    const int reason = SSL_get_error(ssl, result);
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
}

/// Empty: it is complete. Else OpenSSL's words, the server's before the client's.
std::string shake_hands(SSL_CTX* server_context, SSL_CTX* client_context)
{
    const SslPtr server(SSL_new(server_context));
    const SslPtr client(SSL_new(client_context));
    BIO* servers_end = nullptr;
    BIO* clients_end = nullptr;
    if (!server || !client || BIO_new_bio_pair(&servers_end, 0, &clients_end, 0) != 1)
        return "out of memory";
    SSL_set_bio(server.get(), servers_end, servers_end);
    SSL_set_bio(client.get(), clients_end, clients_end);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
    const std::array ends{client.get(), server.get()};
    for (int turn = 0; turn < kMostTurns; ++turn) {
        bool is_complete = true;
        for (SSL* const end : ends) {
            ERR_clear_error();
            const int result = SSL_do_handshake(end);
            if (result != 1 && !wants_more(end, result)) {
                const std::string words = take_openssl_error();
                return words.empty() ? "the handshake failed" : words;
            }
            is_complete = is_complete && result == 1;
        }
        if (is_complete)
            return {};
    }
    return "the handshake does not end";
}

std::string try_version(const ContextOptions& options, const KeyPair& pair, int version)
{
    ERR_clear_error();
    const SslCtxPtr server(SSL_CTX_new(TLS_server_method()));
    const SslCtxPtr client = make_client(version);
    const bool is_ready = server && client && set_rules(server.get(), options)
        && SSL_CTX_use_cert_and_key(server.get(), pair.certificate.get(), pair.key.get(), pair.chain.get(), 1) == 1;
    if (!is_ready) {
        const std::string words = take_openssl_error();
        return words.empty() ? "it cannot be prepared" : words;
    }
    return shake_hands(server.get(), client.get());
}

/// "EC secp256k1", "RSA".
std::string key_of(const KeyPair& pair)
{
    const char* const type = EVP_PKEY_get0_type_name(pair.key.get());
    std::string text = type == nullptr ? "unknown" : type;
    std::array<char, 64> group{};
    std::size_t size = 0;
    if (EVP_PKEY_get_group_name(pair.key.get(), group.data(), group.size(), &size) == 1 && size > 0)
        text.append(" ").append(group.data(), size);
    ERR_clear_error(); // not all keys have a group
    return text;
}

/// One certificate, and why it fails under each version that is allowed.
struct Trial {
    const CertificateFiles* files;
    KeyPair pair;
    std::vector<std::string> names;
    std::array<std::string, kVersions.size()> failures{};
    std::array<bool, kVersions.size()> is_settings_fault{}; ///< it works under this version with the ciphers that we choose
};

Result<Trial> try_certificate(const ContextOptions& options, const CertificateFiles& files)
{
    auto pair = load_key_pair(files);
    if (!pair)
        return std::unexpected(pair.error());
    Trial trial{.files = &files, .pair = std::move(*pair), .names = {}};
    trial.names = names_of(trial.pair.certificate.get());
    ContextOptions with_defaults = options;
    with_defaults.ciphers.clear();
    with_defaults.ciphersuites.clear();
    for (std::size_t i = 0; i < kVersions.size(); ++i) {
        if (kVersions[i].name < options.minimum_version)
            continue;
        trial.failures[i] = try_version(options, trial.pair, kVersions[i].number);
        trial.is_settings_fault[i]
            = !trial.failures[i].empty() && try_version(with_defaults, trial.pair, kVersions[i].number).empty();
    }
    return trial;
}

std::unexpected<Error> blame_ciphers(const ContextOptions& options, const Trial& trial, std::size_t version)
{
    const bool is_old = kVersions[version].number == TLS1_2_VERSION;
    const std::string key = is_old ? "ciphers" : "ciphersuites";
    const std::string instead = is_old
        ? "leave it out, or name ciphers with ECDHE that suit the key, as \"ECDHE+AESGCM:ECDHE+CHACHA20\", or write "
          "minimum_version = \"1.3\""
        : "leave it out, or add TLS_AES_128_GCM_SHA256";
    return fail(ErrorCode::tls_setup, 0,
        key + " = \"" + (is_old ? options.ciphers : options.ciphersuites) + "\" in [tls] lets no handshake of TLS "
            + kVersions[version].name + " succeed with " + trial.files->certificate + ", whose key is " + key_of(trial.pair)
            + " (" + trial.failures[version] + "): " + instead);
}

bool works(const Trial& trial, std::size_t version) { return trial.failures[version].empty(); }

} // namespace

Result<void> rehearse(const ContextOptions& options)
{
    const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
    if (!context)
        return setup_failure("OpenSSL");
    if (const auto ruled = set_rules(context.get(), options); !ruled)
        return ruled; // by themselves they are wrong already
    std::vector<Trial> trials;
    for (const CertificateFiles& files : options.certificates) {
        auto trial = try_certificate(options, files);
        if (!trial)
            return std::unexpected(trial.error());
        trials.push_back(std::move(*trial));
    }
    for (std::size_t version = 0; version < kVersions.size(); ++version) {
        for (const Trial& trial : trials) {
            // Another key for the same names may be the one for this version.
            const bool has_twin = std::ranges::any_of(
                trials, [&](const Trial& other) { return other.names == trial.names && works(other, version); });
            if (!has_twin && trial.is_settings_fault[version])
                return blame_ciphers(options, trial, version);
        }
    }
    for (const Trial& trial : trials) {
        const bool is_allowed_old = kVersions.front().name >= options.minimum_version;
        if (works(trial, 1) || (is_allowed_old && works(trial, 0)))
            continue;
        for (std::size_t version = 0; version < kVersions.size(); ++version) {
            if (trial.is_settings_fault[version])
                return blame_ciphers(options, trial, version);
        }
        return fail(ErrorCode::tls_setup, 0,
            trial.files->certificate + ": its key, " + key_of(trial.pair) + ", suits no TLS client (" + trial.failures[1]
                + "): make a key with P-256, or RSA of 2048 bits or more, and have a certificate made for it");
    }
    return {};
}

} // namespace safetp::tls
