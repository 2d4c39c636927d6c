#include "ftps_client.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kWriteBytes = 256 * 1024; ///< OpenSSL makes 16 KiB records, and one write(2) each, of it

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }
[[noreturn]] void fail_with_errno(const std::string& what) { fail(fmt::format("{}: {}", what, std::strerror(errno))); }

[[noreturn]] void fail_with_openssl(const std::string& what)
{
    const int system_error = errno;
    const unsigned long code = ERR_get_error();
    if (code == 0)
        fail(fmt::format("{}: {}", what, system_error == 0 ? "end without close_notify" : std::strerror(system_error)));
    char text[256];
    ERR_error_string_n(code, text, sizeof text);
    fail(fmt::format("{}: {}", what, text));
}

UniqueFd connect_to(const std::string& address, std::uint16_t port)
{
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1)
        fail(fmt::format("{}: not an IPv4 address", address));
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd)
        fail_with_errno("socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        fail_with_errno(fmt::format("connect to {} port {}", address, port));
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void set_blocking(const UniqueFd& fd, bool is_blocking)
{
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0)
        fail_with_errno("fcntl");
}

std::string make_payload()
{
    std::string payload(kWriteBytes, '\0');
    std::uint32_t state = 2463534242u; // xorshift: cheap, and the same in every run
    for (char& byte : payload) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        byte = static_cast<char>(state & 0xff);
    }
    return payload;
}

} // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsContext::TlsContext(Ciphers ciphers)
    : context_(SSL_CTX_new(TLS_client_method()))
{
    if (!context_)
        fail_with_openssl("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
    if (ciphers == Ciphers::same && SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_256_GCM_SHA384") != 1)
        fail_with_openssl("SSL_CTX_set_ciphersuites");
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    // A new ticket may come with any byte read; the connection keeps the last.
    SSL_CTX_sess_set_new_cb(context_.get(), [](ssl_st* ssl, ssl_session_st* session) {
        static_cast<TlsConnection*>(SSL_get_app_data(ssl))->session_.reset(session);
        return 1; // the reference is ours
    });
}

void TlsConnection::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }
void TlsConnection::FreeSession::operator()(ssl_session_st* session) const { SSL_SESSION_free(session); }

TlsConnection::TlsConnection(const TlsContext& context, UniqueFd fd, ssl_session_st* resume)
    : fd_(std::move(fd))
    , ssl_(SSL_new(context.get()))
{
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1)
        fail_with_openssl("SSL_new");
    SSL_set_app_data(ssl_.get(), this);
    if (resume && SSL_set_session(ssl_.get(), resume) != 1)
        fail_with_openssl("SSL_set_session");
    set_blocking(fd_, false); // for once: the answer is not waited for
    errno = 0;
    const int result = SSL_connect(ssl_.get());
    if (result != 1 && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ)
        fail_with_openssl("TLS handshake");
    set_blocking(fd_, true);
}

void TlsConnection::finish_handshake()
{
    errno = 0;
    if (SSL_connect(ssl_.get()) != 1)
        fail_with_openssl("TLS handshake");
}

TlsConnection::~TlsConnection() = default;

std::size_t TlsConnection::read(std::span<char> buffer)
{
    std::size_t bytes = 0;
    errno = 0;
    if (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &bytes) == 1)
        return bytes;
    if (SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN)
        return 0;
    fail_with_openssl("reading");
}

void TlsConnection::write(std::span<const char> bytes)
{
    std::size_t written = 0;
    errno = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) != 1)
        fail_with_openssl("writing");
}

void TlsConnection::close_notify() { SSL_shutdown(ssl_.get()); }
bool TlsConnection::is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

std::string TlsConnection::cipher() const
{
    return fmt::format("{} {}", SSL_get_version(ssl_.get()), SSL_get_cipher(ssl_.get()));
}

FtpsSession::FtpsSession(
    const TlsContext& context, const std::string& address, std::uint16_t port, DataProtection protection)
    : context_(context)
    , address_(address)
    , protection_(protection)
    , plain_(connect_to(address, port))
{
    read_reply('2');
    command("AUTH TLS", '2');
    if (!received_.empty())
        fail("bytes behind the reply to AUTH TLS");
    control_ = std::make_unique<TlsConnection>(context_, std::move(plain_), nullptr);
    control_->finish_handshake();
    log_in();
}

void FtpsSession::log_in()
{
    const char* const user = std::getenv("SAFETP_LOAD_USER");
    command(fmt::format("USER {}", user != nullptr ? user : "anonymous"), '3');
    command("PASS bench@example.com", '2');
    command("PBSZ 0", '2');
    command(protection_ == DataProtection::private_ ? "PROT P" : "PROT C", '2');
    command("TYPE I", '2');
}

void FtpsSession::send(std::string_view line)
{
    const std::string bytes = fmt::format("{}\r\n", line);
    if (control_) {
        control_->write(bytes);
        return;
    }
    if (::write(plain_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        fail_with_errno("writing a command");
}

std::string FtpsSession::read_line()
{
    for (;;) {
        if (const auto end = received_.find("\r\n"); end != std::string::npos) {
            std::string line = received_.substr(0, end);
            received_.erase(0, end + 2);
            return line;
        }
        char buffer[4096];
        const ssize_t bytes
            = control_ ? static_cast<ssize_t>(control_->read(buffer)) : ::read(plain_.get(), buffer, sizeof buffer);
        if (bytes <= 0)
            fail(fmt::format("the control connection ended; read so far: \"{}\"", received_));
        received_.append(buffer, static_cast<std::size_t>(bytes));
    }
}

std::string FtpsSession::read_reply(char kind)
{
    std::string line = read_line();
    if (line.size() > 3 && line[3] == '-') { // RFC 959 section 4.2: until the same code and a space
        const std::string last = line.substr(0, 3) + ' ';
        while (!line.starts_with(last))
            line = read_line();
    }
    if (line.empty() || line[0] != kind)
        fail(fmt::format("expected a {}xx reply, got \"{}\"", kind, line));
    return line;
}

std::string FtpsSession::command(std::string_view line, char kind)
{
    send(line);
    try {
        return read_reply(kind);
    } catch (const std::runtime_error& error) {
        fail(fmt::format("{}: {}", line, error.what()));
    }
}

UniqueFd FtpsSession::open_data_connection()
{
    const std::string reply = command("EPSV", '2');
    const auto start = reply.find("(|||");
    const int port = start == std::string::npos ? 0 : std::atoi(reply.c_str() + start + 4);
    if (port <= 0 || port > 65535)
        fail(fmt::format("no port in \"{}\"", reply));
    return connect_to(address_, static_cast<std::uint16_t>(port));
}

TlsConnection FtpsSession::begin_data_connection()
{
    UniqueFd fd = open_data_connection(); // first: the reply may bring another ticket
    return TlsConnection(context_, std::move(fd), control_->session());
}

std::uint64_t FtpsSession::drain_plain(UniqueFd data, std::uint64_t most)
{
    std::uint64_t all = 0;
    for (ssize_t bytes = 1; bytes > 0 && all < most; all += static_cast<std::uint64_t>(bytes)) {
        bytes = ::read(data.get(), buffer_.data(), buffer_.size());
        if (bytes < 0)
            fail_with_errno("reading");
    }
    return all;
}

Transfer FtpsSession::download(const std::string& name, std::uint64_t most, const std::function<void()>& begun)
{
    buffer_.resize(kReadBytes);
    Transfer transfer;
    Clock::time_point start;
    if (protection_ == DataProtection::clear) {
        UniqueFd data = open_data_connection();
        start = Clock::now();
        command("RETR " + name, '1');
        transfer.bytes = drain_plain(std::move(data), most);
    } else {
        TlsConnection data = begin_data_connection();
        start = Clock::now();
        command("RETR " + name, '1');
        data.finish_handshake();
        transfer.is_resumed = data.is_resumed();
        transfer.cipher = data.cipher();
        for (std::size_t bytes = 1; bytes != 0 && transfer.bytes < most; transfer.bytes += bytes) {
            bytes = data.read(buffer_);
            if (begun && transfer.bytes == 0)
                begun();
        }
        data.close_notify();
    }
    if (transfer.bytes < most)
        read_reply('2');
    transfer.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return transfer;
}

Transfer FtpsSession::upload(const std::string& name, std::uint64_t size, std::string_view nonce)
{
    if (size < nonce.size() + 2)
        fail("the file is too small for the nonce");
    Transfer transfer;
    transfer.bytes = size - 1;
    Clock::time_point start;
    {
        TlsConnection data = begin_data_connection();
        command("REST 1", '3');
        start = Clock::now();
        command("STOR " + name, '1');
        data.finish_handshake();
        transfer.is_resumed = data.is_resumed();
        transfer.cipher = data.cipher();
        send_file(data, transfer.bytes, nonce);
        data.close_notify();
        char nothing[1];
        try { // the gateway may answer with its own close_notify, or just close
            data.read(nothing);
        } catch (const std::runtime_error&) {
        }
    }
    read_reply('2');
    transfer.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (const std::string reply = command("SIZE " + name, '2'); reply != fmt::format("213 {}", size))
        fail(fmt::format("SIZE after the upload of {} bytes: \"{}\"", size, reply));
    return transfer;
}

void FtpsSession::send_file(TlsConnection& data, std::uint64_t bytes, std::string_view nonce)
{
    const std::string payload = make_payload();
    std::uint64_t left = bytes - nonce.size();
    while (left > 0) {
        const auto chunk = static_cast<std::size_t>(std::min<std::uint64_t>(left, payload.size()));
        data.write({payload.data(), chunk});
        left -= chunk;
    }
    data.write(nonce);
}

// Servers differ in how many replies they give, and in which: the one to NOOP is behind them all.
void FtpsSession::abort_download(const std::string& name, std::uint64_t bytes)
{
    buffer_.resize(kReadBytes);
    {
        TlsConnection data = begin_data_connection();
        command("RETR " + name, '1');
        data.finish_handshake();
        for (std::uint64_t done = 0, some = 1; some != 0 && done < bytes; done += some)
            some = data.read(buffer_);
        send("ABOR");
    }
    send("NOOP");
    while (!read_line().starts_with("200 "))
        continue;
}

void serve_streams(std::uint16_t port)
{
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(listener.get(), 16) != 0)
        fail_with_errno(fmt::format("port {}", port));
    const std::string payload = make_payload();
    for (;;) {
        const UniqueFd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        while (::send(client.get(), payload.data(), payload.size(), MSG_NOSIGNAL) > 0)
            continue;
    }
}

std::uint64_t take_stream(const std::string& address, std::uint16_t port, std::uint64_t bytes)
{
    const UniqueFd fd = connect_to(address, port);
    std::vector<char> buffer(kReadBytes);
    std::uint64_t all = 0;
    while (all < bytes) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got <= 0)
            fail_with_errno("the stream ended");
        all += static_cast<std::uint64_t>(got);
    }
    return all;
}

void FtpsSession::noop() { command("NOOP", '2'); }
void FtpsSession::quit() { command("QUIT", '2'); }

} // namespace safetp::bench
