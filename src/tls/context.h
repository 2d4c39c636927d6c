// What all TLS connections of a listener share: certificates, versions, ciphers, tickets. Made by the supervisor before the
// fork, so that no worker reads a key from disk.
#pragma once

#include "base/result.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace safetp::tls {

enum class Purpose { control, data };
enum class ClientCertificate { off, request, require };

/// Names one FTP session inside its TLS tickets: only a ticket that carries the same value makes a data connection "bound".
using SessionBinding = std::array<unsigned char, 16>;
SessionBinding make_session_binding(); ///< random

struct CertificateFiles {
    std::string certificate{}; ///< PEM, leaf first
    std::string key{};       ///< PEM; empty: in the certificate's file
};

struct ContextOptions {
    std::vector<CertificateFiles> certificates{}; ///< the first is the default, SNI chooses among all by their names
    std::string minimum_version = "1.2"; ///< "1.2" or "1.3"
    std::string ciphers{};      ///< TLS 1.2, OpenSSL's language; empty: ECDHE with AEAD
    std::string ciphersuites{}; ///< TLS 1.3; empty: AES-128-GCM, ChaCha20, AES-256-GCM
    ClientCertificate client_certificate = ClientCertificate::off;
    std::string client_ca{};    ///< PEM file; needed unless client_certificate is off. Revocation lists in it count
    std::string client_crl{};   ///< PEM file with further revocation lists; empty: none
    bool refuse_unknown_names = false; ///< SNI that no certificate bears: unrecognized_name instead of the default certificate
    /// How long a login may be resumed. Data connections of a live FTP session may resume it for at least 12 times as long.
    std::chrono::seconds ticket_lifetime{7200};
};

/// Immutable once made, but for ticket keys, which are renewed as they age; shared by all streams of a process. Nothing can
/// be resumed across two contexts.
class ServerContext {
public:
    /// Every problem is tls_setup with the file and OpenSSL's own words.
    static Result<ServerContext> make(const ContextOptions& options);
    ServerContext(ServerContext&&) noexcept;
    ServerContext& operator=(ServerContext&&) noexcept;
    ~ServerContext();

    /// To be called now and then by a process that serves nobody itself: those forked from it later begin with the keys of that
    /// moment, and older ones are gone from its memory.
    void renew_ticket_keys() const;

    /// SHA-256 of the default certificate, "AB:CD:..." as openssl x509 -fingerprint prints it.
    std::string certificate_fingerprint() const;
    /// SHA-256 of its public key, "sha256//BASE64" as curl --pinnedpubkey takes it.
    std::string public_key_pin() const;

    struct Impl;
    const Impl& impl() const { return *impl_; }

private:
    explicit ServerContext(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Makes handshakes with itself, in memory, for each certificate and each version of TLS that `options` allow, with a client
/// that takes what OpenSSL's clients take. tls_setup names the setting that can never work, and what to write instead.
Result<void> rehearse(const ContextOptions& options);

/// Sentences about revocation lists in these files (client_ca, client_crl) with which clients are refused now: lists that are
/// out of date, authorities without a list where others have one. Files that cannot be read are for ServerContext::make.
std::vector<std::string> doubts_about_revocation(const std::string& authorities_file, const std::string& lists_file);

struct CertificateSummary {
    std::chrono::system_clock::time_point not_after;
    std::vector<std::string> names; ///< the DNS names clients may ask for; the common name where there are none
    std::string fingerprint;        ///< SHA-256, "AB:CD:..."
};

/// For the check of a configuration: reads the files, makes sure that the key is the certificate's. An expired certificate is
/// no error here, nor in ServerContext::make: the caller decides whether to warn.
Result<CertificateSummary> inspect_certificate(const CertificateFiles& files);

/// The self-made identity: a P-256 key and a self-signed certificate in `directory`/safetpd.pem, made at the first call, the
/// same ever after, also when several processes call at once. `names` are host names or IP addresses; none: "localhost".
/// Missing directories are made with mode 0700, the file has 0600 and appears whole (link(2)). bad_file where the file can be
/// read or written by others, or belongs neither to root nor to the caller.
Result<CertificateFiles> ensure_self_made_identity(const std::string& directory, const std::vector<std::string>& names);

} // namespace safetp::tls
