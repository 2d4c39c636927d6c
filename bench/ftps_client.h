// An FTPS client as small and as quick as a benchmark needs: passive mode, PROT P, blocking sockets, one thread. Its data
// connections resume the control connection's TLS session, as good clients do (RFC 4217 section 10.2).
#pragma once

#include "base/unique_fd.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace safetp::bench {

/// All functions throw std::runtime_error: a benchmark whose client fails has no result.
class TlsContext {
public:
    enum class Ciphers { same, any };
    /// TLS 1.3. same: AES-256-GCM only, so that every gateway does the same cryptography. any: OpenSSL's default offer, of
    /// which the server takes what it likes best. Certificates are not checked: nothing here leaves the loopback interface.
    explicit TlsContext(Ciphers ciphers);
    ssl_ctx_st* get() const { return context_.get(); }

private:
    struct Free { void operator()(ssl_ctx_st* context) const; };
    std::unique_ptr<ssl_ctx_st, Free> context_;
};

/// A connected TLS client stream. Neither movable nor copyable: OpenSSL keeps its address for the session tickets.
class TlsConnection {
public:
    /// Sends the ClientHello over `fd`, offering `resume` unless it is null. For the rest of the handshake: finish_handshake().
    TlsConnection(const TlsContext& context, UniqueFd fd, ssl_session_st* resume);
    TlsConnection(const TlsConnection&) = delete;
    ~TlsConnection();
    void finish_handshake();

    std::size_t read(std::span<char> buffer); ///< 0: the peer's close_notify; an end without it is an error
    void write(std::span<const char> bytes);
    void close_notify(); ///< sends ours

    bool is_resumed() const;
    std::string cipher() const;
    ssl_session_st* session() const { return session_.get(); } ///< the newest ticket; null before the first

private:
    friend class TlsContext;
    struct FreeSsl { void operator()(ssl_st* ssl) const; };
    struct FreeSession { void operator()(ssl_session_st* session) const; };
    UniqueFd fd_;
    std::unique_ptr<ssl_st, FreeSsl> ssl_;
    std::unique_ptr<ssl_session_st, FreeSession> session_;
};

struct Transfer {
    std::uint64_t bytes = 0;
    double seconds = 0;      ///< from the transfer command to its final reply
    bool is_resumed = false; ///< the data connection resumed the control connection's session
    std::string cipher;      ///< of the data connection
};

enum class DataProtection { clear, private_ };

/// One FTP session, logged in as anonymous, TYPE I, PROT P or C. TLS on a data connection is begun before the transfer command,
/// as curl and lftp do.
class FtpsSession {
public:
    FtpsSession(const TlsContext& context, const std::string& address, std::uint16_t port,
        DataProtection protection = DataProtection::private_);

    /// RETR to nowhere, at most `most` bytes: then the connections are just closed. `begun` is called when the first have come.
    Transfer download(const std::string& name, std::uint64_t most = UINT64_MAX, const std::function<void()>& begun = {});
    /// Overwrites the existing file from its second byte on (REST 1, STOR), so that the disk's or memory's allocation of new
    /// pages is not measured. `size` is the whole file's; its last bytes become `nonce`. Checked by SIZE.
    Transfer upload(const std::string& name, std::uint64_t size, std::string_view nonce);
    /// RETR, ABOR after at least `bytes`; the session goes on.
    void abort_download(const std::string& name, std::uint64_t bytes);
    void noop();
    void quit();

private:
    std::uint64_t drain_plain(UniqueFd data, std::uint64_t most);
    TlsConnection begin_data_connection();
    void send(std::string_view line);
    std::string read_line();
    std::string read_reply(char kind); ///< fails unless the reply's first digit is `kind`; the last line
    std::string command(std::string_view line, char kind);
    void log_in();
    UniqueFd open_data_connection();
    void send_file(TlsConnection& data, std::uint64_t bytes, std::string_view nonce);

    const TlsContext& context_;
    const std::string address_;
    const DataProtection protection_;
    UniqueFd plain_; ///< until AUTH TLS
    std::unique_ptr<TlsConnection> control_;
    std::string received_;
    std::vector<char> buffer_; ///< for what downloads bring; made for the first
};

/// A plain TCP stream that never ends, for measuring those who only pass it on: serves it, one client after the other.
[[noreturn]] void serve_streams(std::uint16_t port);
/// Takes at least `bytes` of such a stream; how many came.
std::uint64_t take_stream(const std::string& address, std::uint16_t port, std::uint64_t bytes);

} // namespace safetp::bench
