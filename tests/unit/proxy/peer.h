// One end of a connection with the gateway, as a test scripts it: a client or a raw ftpd, plain or under TLS.
#pragma once

#include "net/channel.h"

#include <memory>
#include <openssl/ssl.h>
#include <source_location>
#include <string>

namespace safetp::proxy::test {

using std::source_location;

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSsl>;
using SslSession = std::unique_ptr<SSL_SESSION, FreeSsl>;

class Peer {
public:
    Peer(const net::Executor& executor, UniqueFd fd);

    net::Task<> write(std::string bytes); ///< as much as the other end takes
    net::Task<> say(std::string line);    ///< with CRLF
    /// The next line without its end. What ends the connection instead stands for itself: "<end>" is FIN, under TLS
    /// close_notify; "<broken>" is RST, under TLS also FIN without close_notify.
    net::Task<std::string> line();
    net::Task<std::string> rest(); ///< all that comes, and "<end>" or "<broken>"
    net::Task<> expect(std::string wanted, source_location where = source_location::current()); ///< as the next line

    /// TLS as the client. `session` is what it offers to resume; may be null. False: the handshake failed.
    net::Task<bool> start_tls(SSL_CTX* context, SSL_SESSION* session = nullptr);
    SslSession session() const { return SslSession(SSL_get1_session(ssl_.get())); }
    bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
    net::Task<> send_close_notify();
    void end_tls(); ///< plain from here on, and the end that close_notify was is forgotten

    bool has_unread() const; ///< something has come, or the end
    void finish();               ///< FIN
    void close() { channel_.close(); }
    void reset() { channel_.reset(); }
    int fd() const { return channel_.fd(); }

private:
    net::Task<bool> fill(); ///< false: the end, noted in end_

    net::Channel channel_; // before ssl_, which must die first
    std::unique_ptr<SSL, FreeSsl> ssl_;
    std::string unread_;
    std::string end_;
};

} // namespace safetp::proxy::test
