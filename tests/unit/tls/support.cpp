#include "tls/support.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace safetp::tls::test {

std::time_t clock_offset = 0;
uid_t uid_offset = 0;

namespace {

const auto sigpipe_is_ignored = std::signal(SIGPIPE, SIG_IGN);

std::map<const SSL_CTX*, Session>& sessions()
{
    static std::map<const SSL_CTX*, Session> all;
    return all;
}

int keep_session(SSL* ssl, SSL_SESSION* session)
{
    sessions()[SSL_get_SSL_CTX(ssl)].reset(session);
    return 1;
}

void make_non_blocking(int fd) { ASSERT_EQ(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK), 0); }

void add_extension(X509* x509, int id, const std::string& value)
{
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

} // namespace

TemporaryDirectory::TemporaryDirectory()
{
    std::string pattern = (std::filesystem::temp_directory_path() / "safetp-tls-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() { std::filesystem::remove_all(path_); }

Certificate& Certificate::make()
{
    static long serial = 1;
    const auto bits = static_cast<std::size_t>(rsa_bits);
    key = {is_rsa ? EVP_RSA_gen(bits) : EVP_EC_gen(curve), EVP_PKEY_free};
    x509 = {X509_new(), X509_free};
    X509_set_version(x509.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -86400);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), valid_seconds);
    X509_NAME* const subject = X509_get_subject_name(x509.get());
    std::string name = common_name;
    const auto* const bytes = static_cast<const unsigned char*>(static_cast<const void*>(name.data()));
    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, bytes, static_cast<int>(name.size()), -1, 0);
    X509_set_issuer_name(x509.get(), issuer != nullptr ? X509_get_subject_name(issuer->x509.get()) : subject);
    X509_set_pubkey(x509.get(), key.get());
    std::string list;
    for (const std::string& dns_name : dns_names)
        list += (list.empty() ? "DNS:" : ",DNS:") + dns_name;
    if (!list.empty())
        add_extension(x509.get(), NID_subject_alt_name, list);
    if (is_authority)
        add_extension(x509.get(), NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(x509.get(), issuer != nullptr ? issuer->key.get() : key.get(), EVP_sha256());
    return *this;
}

CertificateFiles Certificate::save(const TemporaryDirectory& directory, const std::string& name) const
{
    const std::string path = directory.path(name + ".pem");
    BIO* const file = BIO_new_file(path.c_str(), "w");
    PEM_write_bio_X509(file, x509.get());
    PEM_write_bio_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    BIO_free(file);
    return {.certificate = path, .key = {}};
}

SocketPair local_pair(int buffer_bytes)
{
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (const int fd : fds) {
        if (buffer_bytes != 0) {
            ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
            ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
        }
    }
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

SocketPair tcp_pair()
{
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
    EXPECT_EQ(::bind(listener.get(), generic, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), generic, size), 0);
    UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    make_non_blocking(client.get());
    make_non_blocking(server.get());
    return {std::move(server), std::move(client)};
}

ClientContext client_context(int version)
{
    ClientContext context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context.get(), keep_session);
    sessions().erase(context.get()); // of an earlier context at the same address
    return context;
}

Session take_session(SSL_CTX* context) { return std::move(sessions()[context]); }

Client::Client(SSL_CTX* context, UniqueFd fd) : fd_(std::move(fd)), ssl_(SSL_new(context))
{
    SSL_set_fd(ssl(), fd_.get());
    SSL_set_connect_state(ssl());
}

/// As real clients do it: a connection that was cut is no reason to forget its session.
Client::~Client() { SSL_set_shutdown(ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }

void Client::name(const char* host_name)
{
    std::string copy = host_name; // the macro SSL_set_tlsext_host_name casts in the old style
    SSL_ctrl(ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, copy.data());
}

bool Client::try_handshake()
{
    if (!failure_.empty())
        return false;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl());
    const int reason = SSL_get_error(ssl(), result);
    if (result != 1 && reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) {
        const char* const text = ERR_reason_error_string(ERR_peek_error());
        failure_ = text != nullptr ? text : "the server closed the connection";
    }
    ERR_clear_error();
    return result == 1;
}

std::string Client::read()
{
    std::string text;
    char buffer[20000];
    std::size_t bytes = 0;
    ERR_clear_error();
    while (SSL_read_ex(ssl(), buffer, sizeof buffer, &bytes) == 1)
        text.append(buffer, bytes);
    if (SSL_get_error(ssl(), 0) == SSL_ERROR_SSL)
        failure_ = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return text;
}

void Client::write(std::string_view text)
{
    std::size_t bytes = 0;
    ERR_clear_error();
    ASSERT_EQ(SSL_write_ex(ssl(), text.data(), text.size(), &bytes), 1) << "the test's socket buffer is too small";
    ASSERT_EQ(bytes, text.size());
}

void Client::abort()
{
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd_.reset();
}

void wait_readable(int fd, int other_fd)
{
    pollfd both[] = {{.fd = fd, .events = POLLIN, .revents = 0}, {.fd = other_fd, .events = POLLIN, .revents = 0}};
    EXPECT_GE(::poll(both, 2, 30000), 1) << "nothing came";
}

IoStep handshake(Stream& server, Client& client)
{
    IoStep step;
    for (int turn = 0; turn < 100; ++turn) {
        const bool is_client_done = client.try_handshake();
        step = server.try_handshake();
        if (step.kind == IoStep::Kind::failed) {
            client.try_handshake(); // to see the alert
            return step;
        }
        if (step.kind == IoStep::Kind::done && (is_client_done || client.try_handshake()))
            return step;
        if (!client.failure().empty())
            client.close();
        wait_readable(server.fd(), client.fd());
    }
    ADD_FAILURE() << "the handshake does not end; client: " << client.failure();
    return step;
}

IoStep connect(Stream& server, Client& client)
{
    const IoStep step = handshake(server, client);
    if (step.kind == IoStep::Kind::done) {
        EXPECT_EQ(client.read(), "");
    }
    return step;
}

std::string read_all_there(Stream& stream, IoStep& last)
{
    std::string text;
    std::vector<std::byte> buffer(20000);
    while ((last = stream.try_read(buffer)).kind == IoStep::Kind::done)
        text.append(static_cast<const char*>(static_cast<const void*>(buffer.data())), last.bytes);
    return text;
}

std::string read_to_the_end(Stream& stream, IoStep& last)
{
    std::string text = read_all_there(stream, last);
    while (last.kind == IoStep::Kind::want_read) {
        wait_readable(stream.fd());
        text += read_all_there(stream, last);
    }
    return text;
}

IoStep write_text(Stream& stream, std::string_view text) { return stream.try_write(std::as_bytes(std::span(text))); }

} // namespace safetp::tls::test

/// Stand in for the C library's, also in libcrypto and libssl (3.0 asks time, 3.5 gettimeofday): the tests move the clock
/// instead of waiting.
extern "C" int gettimeofday(timeval* __restrict out, void*) noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    *out = {.tv_sec = now.tv_sec + safetp::tls::test::clock_offset, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

extern "C" std::time_t time(std::time_t* out) noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::time_t moved = now.tv_sec + safetp::tls::test::clock_offset;
    if (out != nullptr)
        *out = moved;
    return moved;
}

/// Likewise: the tests pass for somebody else.
extern "C" uid_t geteuid() noexcept
{
    return static_cast<uid_t>(::syscall(SYS_geteuid)) + safetp::tls::test::uid_offset;
}
