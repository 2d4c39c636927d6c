#include "proxy/peer.h"

#include "net/loopback.h"
#include "net/sockets.h"

#include <gtest/gtest.h>

#include <openssl/err.h>
#include <span>
#include <sys/socket.h>

namespace safetp::proxy::test {

using Kind = tls::IoStep::Kind;

namespace {

Kind wanted_by(SSL* ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: return Kind::want_read;
    case SSL_ERROR_WANT_WRITE: return Kind::want_write;
    case SSL_ERROR_ZERO_RETURN: return Kind::eof;
    default: return Kind::failed;
    }
}

} // namespace

// Without delay, or a second line would lie in our own kernel until the gateway's has acknowledged the first.
Peer::Peer(const net::Executor& executor, UniqueFd fd)
    : channel_(executor, std::move(fd))
{
    net::disable_nagle(channel_.fd());
}

net::Task<> Peer::write(std::string bytes)
{
    for (std::size_t sent = 0; sent < bytes.size();) {
        tls::IoStep step;
        if (ssl_) {
            ERR_clear_error();
            const int result = SSL_write_ex(ssl_.get(), bytes.data() + sent, bytes.size() - sent, &step.bytes);
            step.kind = result == 1 ? Kind::done : wanted_by(ssl_.get(), result);
        } else {
            step = channel_.stream().try_write(std::as_bytes(std::span(bytes)).subspan(sent));
        }
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            co_return;
        if (step.kind == Kind::done)
            sent += step.bytes;
        else
            co_await channel_.wait(step.kind);
    }
}

net::Task<> Peer::say(std::string line) { co_await write(line + "\r\n"); }

net::Task<bool> Peer::fill()
{
    std::array<std::byte, 65536> buffer;
    while (end_.empty()) {
        tls::IoStep step;
        if (ssl_) {
            ERR_clear_error();
            const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &step.bytes);
            step.kind = result == 1 ? Kind::done : wanted_by(ssl_.get(), result);
        } else {
            step = channel_.stream().try_read(buffer);
        }
        if (step.kind == Kind::done) {
            unread_.append(reinterpret_cast<const char*>(buffer.data()), step.bytes);
            co_return true;
        }
        if (step.kind == Kind::eof || step.kind == Kind::failed)
            end_ = step.kind == Kind::eof ? "<end>" : "<broken>";
        else
            co_await channel_.wait(step.kind);
    }
    co_return false;
}

net::Task<std::string> Peer::line()
{
    for (;;) {
        if (const auto end = unread_.find("\r\n"); end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 2);
            co_return line;
        }
        const bool is_more = co_await fill();
        if (!is_more)
            co_return std::exchange(unread_, {}) + end_;
    }
}

net::Task<std::string> Peer::rest()
{
    bool is_more = true;
    while (is_more)
        is_more = co_await fill();
    co_return std::exchange(unread_, {}) + end_;
}

net::Task<> Peer::expect(std::string wanted, source_location where)
{
    const std::string got = co_await line();
    EXPECT_EQ(got, wanted) << "in line " << where.line();
}

net::Task<bool> Peer::start_tls(SSL_CTX* context, SSL_SESSION* session)
{
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), channel_.fd());
    if (session != nullptr)
        SSL_set_session(ssl_.get(), session);
    for (;;) {
        ERR_clear_error();
        const int result = SSL_connect(ssl_.get());
        if (result == 1)
            co_return true;
        const Kind wanted = wanted_by(ssl_.get(), result);
        if (wanted != Kind::want_read && wanted != Kind::want_write)
            co_return false;
        co_await channel_.wait(wanted);
    }
}

net::Task<> Peer::send_close_notify()
{
    while (SSL_shutdown(ssl_.get()) < 0 && wanted_by(ssl_.get(), -1) == Kind::want_write)
        co_await channel_.wait(Kind::want_write);
}

void Peer::end_tls()
{
    ssl_.reset();
    end_.clear();
}

bool Peer::has_unread() const { return !unread_.empty() || net::test::is_readable_now(channel_.fd()); }

void Peer::finish() { channel_.stream().shutdown_write(); }

} // namespace safetp::proxy::test
