#include "tls/tls_session.h"

#include "tls/openssl_error.h"
#include "tls/openssl_versions.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

namespace safetp::tls {

namespace {

/// Key updates and refused renegotiations cost us more than the peer who sends them. An honest peer sends one every few
/// gigabytes or hours.
constexpr unsigned kMaxIdleRecords = 1000;
constexpr std::size_t kBytesPerCount = std::size_t{1} << 20;

std::string subject_of(const X509* certificate)
{
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (!memory || X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
        return {};
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string{};
}

/// Until the end of its life what is written to `fd` is gathered, so that the peer is woken once for it.
class Corked {
public:
    explicit Corked(int fd) : fd_(fd) { set(1); }
    ~Corked() { set(0); }
    Corked(const Corked&) = delete;

private:
    void set(int on) const { ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }
    int fd_;
};

} // namespace

TlsSession::TlsSession(const ServerContext::Impl& context, int fd, Purpose purpose, const TicketKey* key)
    : fd_(fd), purpose_(purpose), context_(&context), ticket_key_(key), identity_(&context.identities.front())
{
}

std::unique_ptr<TlsSession> TlsSession::make(const ServerContext::Impl& context, int fd, Purpose purpose,
                                             const TicketKey* key)
{
    ERR_clear_error();
    std::unique_ptr<TlsSession> session(new TlsSession(context, fd, purpose, key));
    return session->prepare() ? std::move(session) : nullptr;
}

bool TlsSession::prepare()
{
    ssl_.reset(SSL_new(context_->ssl_ctx.get()));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1)
        return false;
    SSL* const ssl = ssl_.get();
    SSL_set_app_data(ssl, this);
    SSL_set_accept_state(ssl);
    SSL_set_msg_callback(ssl, count_record);
    SSL_set_msg_callback_arg(ssl, this);
    if (ticket_key_ == nullptr) {
        SSL_set_num_tickets(ssl, 0);
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
    }
    if (purpose_ == Purpose::control) {
        SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); // idle most of the time
    } else {
        SSL_set_num_tickets(ssl, 0); // an unread ticket makes an uploading client's close a RST, which eats the file's end
        SSL_set_not_resumable_session_callback(ssl, [](SSL*, int) { return 1; }); // see tickets.h
        if (context_->data_key_exchange == DataKeyExchange::session)
            allow_psk_ke(ssl);
    }
    const SessionIdContext id_context = this->id_context();
    return SSL_set_session_id_context(ssl, id_context.data(), id_context.size()) == 1;
}

TlsSession::~TlsSession()
{
    if (!session_id_.empty())
        impl_of(ssl_.get()).sessions_by_id.erase(session_id_);
}

bool TlsSession::use_identity(const Identity& identity, const std::string& server_name)
{
    server_name_ = server_name;
    if (&identity == identity_)
        return true;
    identity_ = &identity;
    const SessionIdContext id_context = this->id_context();
    if (SSL_set_session_id_context(ssl_.get(), id_context.data(), id_context.size()) != 1)
        return false;
    SSL_certs_clear(ssl_.get()); // else the default certificate of another key type could answer for this name
    for (const KeyPair& pair : identity.pairs) {
        if (SSL_use_cert_and_key(ssl_.get(), pair.certificate.get(), pair.key.get(), pair.chain.get(), 1) != 1)
            return false;
    }
    return true;
}

SessionIdContext TlsSession::id_context() const
{
    return join(identity_->scope, ticket_key_ != nullptr ? ticket_key_->name() : TicketKey::Name{});
}

void TlsSession::note_psk_ke_is_offered()
{
    wants_psk_ke_ = purpose_ == Purpose::data && context_->data_key_exchange == DataKeyExchange::session;
}

bool TlsSession::label(SSL_SESSION* session) const
{
    const SessionIdContext id_context = this->id_context();
    return SSL_SESSION_set1_id_context(session, id_context.data(), id_context.size()) == 1;
}

IoStep TlsSession::try_handshake()
{
    if (failure_)
        return {IoStep::Kind::failed, 0, *failure_};
    if (is_handshake_done_)
        return {};
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1)
        return after_failure(result, errno);
    if (!finish_handshake())
        return fail_for_good(ErrorCode::tls_setup, ENOMEM, "after the handshake");
    return {};
}

bool TlsSession::finish_handshake()
{
    SSL* const ssl = ssl_.get();
    is_handshake_done_ = true;
    // From here on SSL_read comes back after each record that is no data, so that they can be counted.
    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    if (purpose_ == Purpose::control)
        return true;
    // Not before, and not on control streams, which may go back to plain.
    SSL_clear_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE); // our buffer takes all
    return input_.attach(ssl, fd_) && output_.attach(ssl);
}

IoStep TlsSession::try_read(std::span<std::byte> buffer)
{
    if (!failure_ && !is_handshake_done_)
        return fail_for_good(ErrorCode::tls_protocol, 0, "read before the handshake is complete");
    if (has_ended_without_notice_)
        return {.kind = IoStep::Kind::eof};
    while (!failure_) {
        const unsigned records_before = idle_records_;
        std::size_t bytes = 0;
        ERR_clear_error();
        errno = 0;
        const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &bytes);
        const int os_error = errno;
        if (idle_records_ > kMaxIdleRecords)
            return fail_for_good(ErrorCode::tls_protocol, 0, "too many key updates or renegotiations");
        if (const IoStep flushed = try_flush(); flushed.kind == IoStep::Kind::failed) // what an answer to a key update needs
            return flushed;
        if (result == 1) {
            count_bytes(bytes);
            return {.kind = IoStep::Kind::done, .bytes = bytes};
        }
        const IoStep step = after_failure(result, os_error);
        if (step.kind != IoStep::Kind::want_read || idle_records_ == records_before)
            return step;
    }
    return {IoStep::Kind::failed, 0, *failure_};
}

IoStep TlsSession::try_write(std::span<const std::byte> bytes)
{
    if (failure_)
        return {IoStep::Kind::failed, 0, *failure_};
    if (!is_handshake_done_)
        return fail_for_good(ErrorCode::tls_protocol, 0, "write before the handshake is complete");
    if (const IoStep flushed = try_flush(); flushed.kind != IoStep::Kind::done)
        return flushed;
    if (output_.is_attached())
        output_.expect(bytes.size());
    std::optional<Corked> corked;
    if (has_ticket_)
        corked.emplace(fd_);
    std::size_t written = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
    const int os_error = errno;
    corked.reset();
    if (result != 1)
        return after_failure(result, os_error);
    has_ticket_ = false;
    count_bytes(written);
    if (const IoStep flushed = try_flush(); flushed.kind == IoStep::Kind::failed)
        return flushed;
    return {.kind = IoStep::Kind::done, .bytes = written};
}

IoStep TlsSession::try_flush(int flags)
{
    if (failure_)
        return {IoStep::Kind::failed, 0, *failure_};
    const auto flushed = output_.flush(fd_, flags);
    if (flushed.os_error == EAGAIN)
        return {.kind = IoStep::Kind::want_write, .bytes = flushed.bytes};
    if (flushed.os_error != 0)
        return fail_for_good(ErrorCode::tls_truncated, flushed.os_error, {});
    return {.kind = IoStep::Kind::done, .bytes = flushed.bytes};
}

IoStep TlsSession::try_close_notify()
{
    if (failure_)
        return {IoStep::Kind::failed, 0, *failure_};
    if (!is_handshake_done_)
        return fail_for_good(ErrorCode::tls_protocol, 0, "close_notify before the handshake is complete");
    if (!is_close_notify_sent_) {
        ERR_clear_error();
        errno = 0;
        const int result = SSL_shutdown(ssl_.get());
        if (result < 0)
            return after_failure(result, errno);
        is_close_notify_sent_ = true;
    }
    const IoStep flushed = try_flush(MSG_MORE); // FIN goes with it
    output_.give_memory_back();
    return flushed;
}

void TlsSession::issue_ticket()
{
    if (failure_ || !is_handshake_done_ || is_close_notify_sent_ || purpose_ != Purpose::control)
        return;
    ERR_clear_error();
    has_ticket_ = SSL_new_session_ticket(ssl_.get()) == 1; // refuses by itself below TLS 1.3
}

IoStep TlsSession::after_failure(int result, int os_error)
{
    const int reason = SSL_get_error(ssl_.get(), result);
    if (reason == SSL_ERROR_WANT_READ)
        return {.kind = IoStep::Kind::want_read};
    if (reason == SSL_ERROR_WANT_WRITE)
        return {.kind = IoStep::Kind::want_write};
    if (reason == SSL_ERROR_ZERO_RETURN && is_handshake_done_)
        return {.kind = IoStep::Kind::eof};
    const bool is_cut = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    const bool is_end_of_stream = reason != SSL_ERROR_SSL || is_cut;
    if (!is_handshake_done_)
        return failure_of_handshake(os_error, is_end_of_stream);
    if (is_cut && may_be_cut()) {
        ERR_clear_error();
        has_ended_without_notice_ = true;
        return {.kind = IoStep::Kind::eof};
    }
    if (!is_end_of_stream)
        return fail_for_good(ErrorCode::tls_protocol, 0, take_openssl_error(other_end()));
    // A RST that comes after the peer's close_notify cuts nothing of what he had to say.
    const bool has_said_all = (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    return fail_for_good(has_said_all ? ErrorCode::connection_reset : ErrorCode::tls_truncated, os_error, {});
}

IoStep TlsSession::failure_of_handshake(int os_error, bool is_end_of_stream)
{
    if (!refusal_.empty())
        return fail_for_good(refusal_code_, 0, refusal_);
    if (!is_end_of_stream && other_end() == OtherEnd::server && is_version_mismatch())
        return fail_for_good(ErrorCode::tls_version, 0, {});
    if (!is_end_of_stream)
        return fail_for_good(ErrorCode::tls_handshake, 0, take_openssl_error(other_end()) + why_not_verified());
    const char* const whom = other_end() == OtherEnd::client ? "the client" : "the server";
    return fail_for_good(ErrorCode::tls_handshake, os_error, std::string(whom) + " closed the connection");
}

/// Why the client's certificate was refused; empty where it was not.
std::string TlsSession::why_not_verified() const
{
    const long result = SSL_get_verify_result(ssl_.get());
    if (other_end() != OtherEnd::client || result == X509_V_OK)
        return {};
    return std::string(": ") + explain_verification(result);
}

IoStep TlsSession::fail_for_good(ErrorCode code, int os_error, std::string context)
{
    ERR_clear_error();
    failure_ = Error{code, os_error, std::move(context)};
    return {IoStep::Kind::failed, 0, *failure_};
}

void TlsSession::count_bytes(std::size_t bytes)
{
    counted_bytes_ += bytes;
    if (counted_bytes_ < kBytesPerCount)
        return;
    counted_bytes_ = 0;
    idle_records_ = 0;
}

/// TLS 1.3 hides the type of a record inside it, TLS 1.2 has it in the record's header.
void TlsSession::count_record(int is_written, int, int type, const void* bytes, std::size_t size, SSL* ssl, void* self)
{
    auto& session = *static_cast<TlsSession*>(self);
    const int where = SSL_version(ssl) == TLS1_3_VERSION ? SSL3_RT_INNER_CONTENT_TYPE : SSL3_RT_HEADER;
    if (is_written != 0 || !session.is_handshake_done_ || type != where || size == 0)
        return;
    if (*static_cast<const unsigned char*>(bytes) != SSL3_RT_APPLICATION_DATA)
        ++session.idle_records_;
}

HandshakeInfo TlsSession::handshake_info() const
{
    const SSL* const ssl = ssl_.get();
    if (client_session_ != nullptr)
        return client_handshake_info();
    HandshakeInfo info;
    info.version = SSL_get_version(ssl);
    info.cipher = SSL_get_cipher_name(ssl);
    info.server_name = server_name_;
    info.is_resumed = SSL_session_reused(ssl) == 1;
    info.is_bound = info.is_resumed && purpose_ == Purpose::data; // nothing else can be resumed there: see tickets.h
    if (X509* const certificate = SSL_get0_peer_certificate(ssl)) {
        info.client_certificate = subject_of(certificate);
        info.client_fingerprint = hex(sha256_of(certificate), false);
    }
    return info;
}

} // namespace safetp::tls
