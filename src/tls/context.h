// What all TLS connections of a listener share: certificates, versions, ciphers. Made by the supervisor before the
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

/// How a data connection of an FTP session comes by its keys (RFC 8446 section 4.2.9).
enum class DataKeyExchange {
    session, ///< from the control connection's alone, where the client offers that: as secret as that one, and cheaper
    each,    ///< by a key exchange of its own
};

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
    /// What a ticket tells the client. It can be used as long as its FTP session lives.
    std::chrono::seconds ticket_lifetime{7200};
    DataKeyExchange data_key_exchange = DataKeyExchange::session;
};

/// Immutable once made; shared by all streams of a process.
class ServerContext {
public:
    /// Every problem is tls_setup with the file and OpenSSL's own words.
    static Result<ServerContext> make(const ContextOptions& options);
    ServerContext(ServerContext&&) noexcept;
    ServerContext& operator=(ServerContext&&) noexcept;
    ~ServerContext();

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
