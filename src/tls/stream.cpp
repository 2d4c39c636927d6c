#include "tls/stream.h"

#include "tls/openssl_error.h"
#include "tls/tls_session.h"

#include <cerrno>
#include <sys/socket.h>

namespace safetp::tls {

namespace {

bool is_reset(int os_error) { return os_error == ECONNRESET || os_error == EPIPE; }

IoStep plain_failure(int os_error, IoStep::Kind wanted)
{
    if (os_error == EAGAIN || os_error == EWOULDBLOCK)
        return {.kind = wanted};
    const ErrorCode code = is_reset(os_error) ? ErrorCode::connection_reset : ErrorCode::system_call;
    return {IoStep::Kind::failed, 0, Error{code, os_error, {}}};
}

IoStep plain_read(int fd, std::span<std::byte> buffer, int flags = 0)
{
    ssize_t bytes = 0;
    do {
        bytes = ::recv(fd, buffer.data(), buffer.size(), flags);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return plain_failure(errno, IoStep::Kind::want_read);
    if (bytes == 0)
        return {.kind = IoStep::Kind::eof};
    return {.kind = IoStep::Kind::done, .bytes = static_cast<std::size_t>(bytes)};
}

IoStep plain_write(int fd, std::span<const std::byte> data)
{
    ssize_t bytes = 0;
    do {
        bytes = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return plain_failure(errno, IoStep::Kind::want_write);
    return {.kind = IoStep::Kind::done, .bytes = static_cast<std::size_t>(bytes)};
}

IoStep wrong_layer(const char* what) { return {IoStep::Kind::failed, 0, Error{ErrorCode::tls_protocol, 0, what}}; }

} // namespace

Stream::Stream(UniqueFd fd) : fd_(std::move(fd)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream::~Stream() = default;

Stream& Stream::operator=(Stream&& other) noexcept
{
    if (this == &other)
        return *this;
    tls_ = std::move(other.tls_); // before fd_: the old TLS session must not outlive its descriptor
    former_tls_ = std::move(other.former_tls_);
    fd_ = std::move(other.fd_);
    info_ = std::move(other.info_);
    return *this;
}

IoStep Stream::try_read(std::span<std::byte> buffer) { return tls_ ? tls_->try_read(buffer) : plain_read(fd_.get(), buffer); }

IoStep Stream::try_peek(std::byte& next) const
{
    return tls_ ? wrong_layer("a look ahead under TLS") : plain_read(fd_.get(), {&next, 1}, MSG_PEEK);
}

IoStep Stream::try_write(std::span<const std::byte> bytes)
{
    return tls_ ? tls_->try_write(bytes) : plain_write(fd_.get(), bytes);
}

IoStep Stream::try_flush() { return tls_ ? tls_->try_flush() : IoStep{}; }

Result<void> Stream::start_tls(const ServerContext& context, Purpose purpose, const TicketKey* key)
{
    if (tls_)
        return fail(ErrorCode::tls_setup, 0, "the stream is under TLS already");
    tls_ = TlsSession::make(context.impl(), fd_.get(), purpose, key);
    if (!tls_)
        return setup_failure("a TLS session cannot be made");
    info_ = {};
    return {};
}

Result<void> Stream::start_tls(ClientSession& session, Purpose purpose)
{
    if (tls_)
        return fail(ErrorCode::tls_setup, 0, "the stream is under TLS already");
    tls_ = TlsSession::make_client(session.impl(), fd_.get(), purpose);
    if (!tls_)
        return setup_failure("a TLS session cannot be made");
    info_ = {};
    return {};
}

IoStep Stream::try_handshake()
{
    if (!tls_)
        return wrong_layer("a handshake on a plain stream");
    IoStep step = tls_->try_handshake();
    if (step.kind == IoStep::Kind::done)
        info_ = tls_->handshake_info();
    return step;
}

IoStep Stream::try_close_notify() { return tls_ ? tls_->try_close_notify() : wrong_layer("close_notify on a plain stream"); }

void Stream::end_tls()
{
    if (tls_)
        former_tls_ = std::move(tls_);
}

void Stream::issue_ticket()
{
    if (tls_)
        tls_->issue_ticket();
}

void Stream::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

void Stream::reset()
{
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

void Stream::close()
{
    tls_.reset();
    former_tls_.reset();
    fd_.reset();
}

} // namespace safetp::tls
