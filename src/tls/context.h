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
    std::string certificate; ///< PEM, leaf first
    std::string key;         ///< PEM; empty: in the certificate's file
};

struct ContextOptions {
    std::vector<CertificateFiles> certificates; ///< the first is the default, SNI chooses among all by their names
    std::string minimum_version = "1.2";
    std::string ciphers;      ///< empty: ECDHE with AEAD
    std::string ciphersuites;
    ClientCertificate client_certificate = ClientCertificate::off;
    std::string client_ca;    ///< PEM file
    bool refuse_unknown_names = false;
    std::chrono::seconds ticket_lifetime{7200};
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

/// The self-made identity: a P-256 key and a self-signed certificate in `directory`, made at the first call, the same ever
/// after. The key is created with mode 0600 and put in place whole (rename). Refuses files that others can read or write.
Result<CertificateFiles> ensure_self_made_identity(const std::string& directory, const std::vector<std::string>& names);

} // namespace safetp::tls
