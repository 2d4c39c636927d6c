// What a server's certificate says, and whether it is to be believed: OpenSSL finds the facts, the caller judges them.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace safetp::tls {

/// The facts about the certificate that a server has shown. Texts come from the peer: escape them before showing them.
struct PeerCertificate {
    std::string key_fingerprint; ///< of the public key (SPKI): "SHA256:" and unpadded base64, as ssh writes it
    std::string key_type;        ///< "ECDSA", "RSA", "ED25519", ...
    int key_bits = 0;
    std::string subject;            ///< RFC 2253
    std::string issuer;             ///< RFC 2253
    std::vector<std::string> names; ///< DNS names, or the common name where there are none; lower case
    std::chrono::system_clock::time_point not_before;
    std::chrono::system_clock::time_point not_after;
    bool is_vouched = false;    ///< the system's authorities vouch for it now, chain, dates and purpose
    bool is_name_right = false; ///< it is for the host that was asked for (RFC 6125, RFC 2818 for addresses)
    std::string why_not;        ///< why one of the two is false, as part of a sentence: "it expired"; else empty
};

/// Says whether the handshake may go on. Called in the middle of it, before a byte of the application was sent.
using JudgePeer = std::function<bool(const PeerCertificate&)>;

struct PeerJudge {
    std::string host; ///< name or address (no brackets) that the certificate must be for
    JudgePeer judge;  ///< must not throw; never called for a resumed session, whose key was judged when it began
};

struct PeerRules {
    std::string authorities{};           ///< PEM file; empty: the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR
    std::string minimum_version = "1.2"; ///< "1.2" or "1.3"
};

/// How one TLS connection of a library's ends, which such a library may not tell or decide as we want it.
struct PeerEnd {
    bool has_close_notify = false; ///< the peer has ended its TLS in order
    bool is_held_back = false;     ///< set beforehand: the library cannot end ours in order until allow_end()
    void* ssl = nullptr;           ///< the connection, once its handshake has begun
};

/// What was sent until now is all. Call it before the library closes the connection.
void allow_end(const PeerEnd& end);

/// For libraries that make their own SSL_CTX (libcurl): from now on each certificate that a server shows to `ssl_ctx` is put
/// before `judge`, and nothing else decides. `judge` and `end` must outlive it. For one connection. False: the authorities
/// could not be read or the memory is gone.
bool put_peers_before(const PeerJudge& judge, const PeerRules& rules, PeerEnd& end, void* ssl_ctx);

} // namespace safetp::tls
