// A non-blocking byte stream on a socket, plain or TLS. Plain functions that say "n bytes / wants to read / wants to write /
// end / failed": who waits, and how, is not known here (no Asio). Upgrades in place (AUTH TLS) and back (CCC).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "tls/client_context.h"
#include "tls/context.h"
#include "tls/peer_certificate.h"
#include "tls/ticket_key.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace safetp::tls {

class TlsSession;

constexpr std::byte kHandshakeRecord{0x16}; ///< the first byte of a client that begins TLS (RFC 8446 section 5.1)

struct IoStep {
    enum class Kind {
        done,       ///< `bytes` were moved (never 0), or the handshake, flush or close_notify is complete
        want_read,  ///< wait until the socket is readable, then call again
        want_write, ///< `bytes` that were taken earlier went to the socket now: the peer is alive
        eof,        ///< an orderly end: FIN on a plain stream, close_notify on TLS
        failed,     ///< `error` says what; tls_truncated is a FIN or RST without close_notify
    };
    Kind kind = Kind::done;
    std::size_t bytes = 0;
    Error error{};
};

/// What a finished handshake has agreed, for the log and for decisions.
struct HandshakeInfo {
    std::string version;            ///< "TLSv1.3"
    std::string cipher;
    std::string server_name;        ///< SNI, as sent; empty if none
    bool is_resumed = false;
    bool is_bound = false;          ///< resumed from this FTP session's own control connection
    std::string client_certificate; ///< subject, RFC 2253; empty if none
    std::string client_fingerprint; ///< SHA-256 of the certificate, lower-case hex; empty if none
    std::optional<PeerCertificate> server; ///< where we are the client, unless the session was resumed
};

/// Owns the descriptor, a non-blocking stream socket. Not thread-safe. Under TLS the process must ignore SIGPIPE. Once a call
/// has failed under TLS, every later one fails with the same error.
class Stream {
public:
    explicit Stream(UniqueFd fd);
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream(); ///< closes without close_notify

    /// `buffer` must not be empty. Data streams under TLS read ahead: call until want_read before waiting.
    IoStep try_read(std::span<std::byte> buffer);
    /// A plain stream's next byte, which stays where it is.
    IoStep try_peek(std::byte& next) const;
    /// `bytes` must not be empty. After want_read or want_write call again with the same bytes, or these and more; where they
    /// lie may change. Until then no close_notify can be sent.
    IoStep try_write(std::span<const std::byte> bytes);

    /// From here on every byte is TLS, as the server side (RFC 4217 section 7: the FTP server is always TLS server, also where
    /// it connected). `context` and `key` must outlive the stream. Call try_handshake until done: before that nothing can be
    /// read or written. A control stream draws up tickets under `key`; on a data stream only a session with the same key is
    /// resumed, anything else is a full handshake that leaves nothing to resume. Null: every handshake is a full one.
    Result<void> start_tls(const ServerContext& context, Purpose purpose, const TicketKey* key);
    /// The same as the client side. The first handshake of `session` is put before its judge (tls_untrusted where he refuses);
    /// the later ones resume its tickets or must bring the same key (tls_other_key).
    Result<void> start_tls(ClientSession& session, Purpose purpose);
    IoStep try_handshake();

    /// A data stream under TLS may take bytes that the socket does not: done when the kernel has them all. A later try_write or
    /// try_close_notify does it as well.
    IoStep try_flush();

    /// Sends close_notify; done when it is written, not when the peer's has come. A data stream's goes out with the FIN that is
    /// to follow at once.
    IoStep try_close_notify();
    /// CCC: after close_notify went both ways the socket is plain again. Nothing that the client sent behind its
    /// close_notify is lost, since control streams never read ahead.
    void end_tls();

    bool is_tls() const { return tls_ != nullptr; }
    const HandshakeInfo& handshake_info() const { return info_; }
    /// TLS 1.3, control streams: a fresh ticket, written with the next try_write. Elsewhere does nothing.
    void issue_ticket();
    int fd() const { return fd_.get(); }

    void shutdown_write();  ///< FIN
    void reset();           ///< closes with RST (SO_LINGER 0), so that the peer cannot take what came for whole
    void close();

private:
    UniqueFd fd_; // before tls_, which must die first
    std::unique_ptr<TlsSession> tls_;
    std::unique_ptr<TlsSession> former_tls_; // after CCC: its data connections may still resume it
    HandshakeInfo info_;
};

} // namespace safetp::tls
