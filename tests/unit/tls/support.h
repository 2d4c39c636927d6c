// What the TLS tests share: certificates made on the spot, an OpenSSL client driven by hand, a clock that can be moved.
#pragma once

#include "tls/openssl_types.h"
#include "tls/stream.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::tls::test {

/// Added to what time(2) says, in the whole test program: OpenSSL's and ours.
extern std::time_t clock_offset;
/// Added to what geteuid(2) says, likewise.
extern uid_t uid_offset;

class TemporaryDirectory {
public:
    TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory();
    std::string path(const std::string& name = {}) const { return path_ + "/" + name; }

private:
    std::string path_;
};

struct Certificate {
    std::string common_name = "localhost";
    std::vector<std::string> dns_names{}; ///< none: no subject alternative name
    const Certificate* issuer = nullptr; ///< null: self-signed
    bool is_authority = false;
    bool is_rsa = false;
    int rsa_bits = 2048;
    const char* curve = "P-256"; ///< unless is_rsa
    long valid_seconds = 86400;
    std::shared_ptr<X509> x509{};
    std::shared_ptr<EVP_PKEY> key{};

    Certificate& make();
    /// Writes NAME.pem (certificate and key) and gives the files.
    CertificateFiles save(const TemporaryDirectory& directory, const std::string& name) const;
};

struct SocketPair {
    UniqueFd server;
    UniqueFd client;
};
SocketPair local_pair(int buffer_bytes = 0); ///< AF_UNIX; 0: default buffers
SocketPair tcp_pair();                       ///< loopback, where RST exists

using ClientContext = SslCtxPtr;
using Session = SessionPtr;

/// Trusts everything, offers what OpenSSL offers, only `version` unless 0.
ClientContext client_context(int version = 0);
/// The last session with which the server has supplied a client of this context (TLS 1.3: its last ticket); may be null.
Session take_session(SSL_CTX* context);

class Client {
public:
    Client(SSL_CTX* context, UniqueFd fd);
    Client(const Client&) = delete;
    ~Client();
    SSL* ssl() { return ssl_.get(); }
    int fd() const { return fd_.get(); }
    void offer(SSL_SESSION* session) { SSL_set_session(ssl(), session); }
    void name(const char* host_name);
    bool try_handshake();           ///< true: complete
    std::string failure() const { return failure_; }
    std::string read();             ///< what is there, without waiting
    void write(std::string_view text);
    bool has_got_close_notify() { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }
    void close() { fd_.reset(); }   ///< FIN or, with unread bytes, RST
    void abort();                   ///< RST
    UniqueFd release() { return std::move(fd_); }

private:
    UniqueFd fd_;
    SslPtr ssl_;
    std::string failure_;
};

/// Turns both ends until the server's handshake is complete or has failed. Gives the server's last step.
IoStep handshake(Stream& server, Client& client);
/// handshake, and then the client reads what tickets have come.
IoStep connect(Stream& server, Client& client);

std::string read_all_there(Stream& stream, IoStep& last); ///< until something else than done
std::string read_to_the_end(Stream& stream, IoStep& last); ///< waits, too, until eof or failed
void wait_readable(int fd, int other_fd = -1);
IoStep write_text(Stream& stream, std::string_view text);

} // namespace safetp::tls::test
