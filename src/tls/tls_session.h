// The TLS half of a Stream: one SSL object on a descriptor that somebody else owns. Internal to tls/.
#pragma once

#include "tls/client_context_impl.h"
#include "tls/context_impl.h"
#include "tls/openssl_error.h"
#include "tls/openssl_types.h"
#include "tls/sealed_input.h"
#include "tls/sealed_output.h"
#include "tls/stream.h"

#include <optional>
#include <span>
#include <string>

namespace safetp::tls {

/// Its address must not change: OpenSSL's callbacks find it through the SSL object. After the first failure OpenSSL is never
/// asked again (SSL_get_error(3)): each later call gives the same failure.
class TlsSession {
public:
    /// Null: out of memory, the reason is in OpenSSL's queue. `context` and `key` must outlive the result. `key` may be null.
    static std::unique_ptr<TlsSession> make(const ServerContext::Impl& context, int fd, Purpose purpose,
                                            const TicketKey* key);
    /// The same as the client side (tls_client.cpp). `session` must outlive the result.
    static std::unique_ptr<TlsSession> make_client(ClientSession::Impl& session, int fd, Purpose purpose);
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;
    ~TlsSession();
    static TlsSession& of(const SSL* ssl) { return *static_cast<TlsSession*>(SSL_get_app_data(ssl)); }

    IoStep try_handshake();
    IoStep try_read(std::span<std::byte> buffer);
    IoStep try_write(std::span<const std::byte> bytes);
    IoStep try_flush(int flags = 0); ///< of send(2)
    IoStep try_close_notify();
    void issue_ticket();
    HandshakeInfo handshake_info() const;

    // For the callbacks of hello.cpp and tickets.cpp, on the server side.
    const ServerContext::Impl& context() const { return *context_; }
    Purpose purpose() const { return purpose_; }
    const TicketKey* ticket_key() const { return ticket_key_; }
    bool wants_psk_ke() const { return wants_psk_ke_; } ///< to resume without a key exchange; then the client offers it
    void note_psk_ke_is_offered();
    const Identity& identity() const { return *identity_; }
    const std::string& server_name() const { return server_name_; }
    bool use_identity(const Identity& identity, const std::string& server_name);
    bool label(SSL_SESSION* session) const; ///< makes it resumable on this stream
    void note_session_id(std::string id) { session_id_ = std::move(id); }
    void note_refusal(std::string reason) { refusal_ = std::move(reason); }

    // For those of client_context.cpp and tls_client.cpp, on the client side.
    ClientSession::Impl& client_session() const { return *client_session_; }
    bool judge_server(X509_STORE_CTX* verification);

private:
    TlsSession(ClientSession::Impl& session, int fd, Purpose purpose) : fd_(fd), purpose_(purpose), client_session_(&session) {}
    TlsSession(const ServerContext::Impl& context, int fd, Purpose purpose, const TicketKey* key);
    bool prepare();
    SessionIdContext id_context() const;
    bool prepare_client();
    HandshakeInfo client_handshake_info() const;
    OtherEnd other_end() const { return client_session_ == nullptr ? OtherEnd::client : OtherEnd::server; }
    IoStep after_failure(int result, int os_error);
    IoStep fail_for_good(ErrorCode code, int os_error, std::string context);
    std::string why_not_verified() const;
    IoStep failure_of_handshake(int os_error, bool is_end_of_stream);
    bool finish_handshake();
    bool may_be_cut() const
    {
        return client_session_ != nullptr && purpose_ == Purpose::data && !client_session_->needs_close_notify;
    }
    void count_bytes(std::size_t bytes);
    static void count_record(int is_written, int version, int type, const void* bytes, std::size_t size, SSL* ssl, void* self);

    int fd_;
    Purpose purpose_;
    // As the server side:
    const ServerContext::Impl* context_ = nullptr;
    const TicketKey* ticket_key_ = nullptr; ///< null: nothing is resumed here, nor can this be
    bool wants_psk_ke_ = false;
    const Identity* identity_ = nullptr;
    // As the client side:
    ClientSession::Impl* client_session_ = nullptr;
    std::optional<PeerCertificate> server_; ///< as this handshake has shown it
    // Both:
    std::string server_name_;
    std::string refusal_;
    ErrorCode refusal_code_ = ErrorCode::tls_handshake;
    std::string session_id_; ///< under which the context holds this stream's session; empty: it does not
    SealedInput input_;   ///< data streams, after the handshake, as the next; before ssl_, which uses both
    SealedOutput output_;
    SslPtr ssl_;
    std::optional<Error> failure_;
    bool is_handshake_done_ = false;
    bool has_ended_without_notice_ = false; ///< FIN without close_notify, where that is allowed
    bool is_close_notify_sent_ = false;
    bool has_ticket_ = false; ///< which goes with the next write
    unsigned idle_records_ = 0; ///< records other than data since kBytesPerCount bytes of data have passed
    std::size_t counted_bytes_ = 0;
};

} // namespace safetp::tls
