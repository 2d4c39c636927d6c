// What the connections to servers share where we are the TLS client (RFC 4217 section 7): authorities, versions, our
// certificate, and per FTP session the tickets with which data connections resume the control connection's TLS session.
#pragma once

#include "base/result.h"
#include "tls/context.h"
#include "tls/peer_certificate.h"

#include <memory>
#include <string>

namespace safetp::tls {

struct ClientOptions {
    CertificateFiles certificate{};      ///< for servers that ask for one; empty: none
    std::string authorities{};           ///< PEM file; empty: the system's (SSL_CTX_set_default_verify_paths(3))
    std::string minimum_version = "1.2"; ///< "1.2" or "1.3"
};

/// Immutable once made. Whether a server is to be believed is not decided here but by each session's judge.
class ClientContext {
public:
    /// Every problem is tls_setup with the file and OpenSSL's own words.
    static Result<ClientContext> make(const ClientOptions& options);
    ClientContext(ClientContext&&) noexcept;
    ClientContext& operator=(ClientContext&&) noexcept;
    ~ClientContext();

    struct Impl;
    const Impl& impl() const { return *impl_; }

private:
    explicit ClientContext(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// One FTP session with one server: gathers the tickets that its connections bring, gives each new data connection one to
/// resume. A TLS 1.3 ticket is used once as long as there is another (RFC 8446 section C.4); the newest goes first, and those
/// of the control connection before those of data connections, which some servers do not take.
class ClientSession {
public:
    /// `peer.host`: a name is also sent as SNI. `peer.judge` is asked once, in the session's first handshake. `context` must
    /// outlive this, and this the streams.
    ClientSession(const ClientContext& context, PeerJudge peer);
    ClientSession(ClientSession&&) noexcept;
    ClientSession& operator=(ClientSession&&) noexcept;
    ~ClientSession();

    /// Data connections of this server may end with FIN and no close_notify: whoever is on the path can cut them unseen.
    void unsafe_accept_missing_close_notify();

    std::size_t unused_tickets() const; ///< that have not been used yet; a TLS 1.2 session counts for ever

    struct Impl;
    Impl& impl() { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

} // namespace safetp::tls
