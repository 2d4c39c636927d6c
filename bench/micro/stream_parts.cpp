#include "part.h"
#include "tls/openssl_types.h"
#include "tls/stream.h"

#include <fcntl.h>
#include <memory>
#include <openssl/pem.h>
#include <poll.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::bench {

namespace {

using Kind = tls::IoStep::Kind;

constexpr std::size_t kChunk = std::size_t{512} << 10;

void require(bool holds, const char* what)
{
    if (!holds)
        throw std::runtime_error(what);
}

/// A P-256 key and its own certificate, in a file that goes with the process.
std::string make_certificate()
{
    const tls::PkeyPtr key(EVP_EC_gen("P-256"));
    const tls::X509Ptr certificate(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
    X509_set_pubkey(certificate.get(), key.get());
    const int fd = ::memfd_create("certificate", 0);
    FILE* const file = ::fdopen(fd, "w");
    const bool is_written = file != nullptr && X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0
        && PEM_write_X509(file, certificate.get()) == 1
        && PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 && std::fflush(file) == 0;
    require(is_written, "no certificate can be made");
    return "/proc/self/fd/" + std::to_string(fd);
}

tls::ServerContext make_server_context()
{
    auto made = tls::ServerContext::make({.certificates = {{make_certificate(), {}}}});
    require(made.has_value(), "no TLS context can be made");
    return std::move(*made);
}

/// Both ends' TLS, and an OpenSSL client that keeps its last session.
struct World {
    World() : server(make_server_context()), client(SSL_CTX_new(TLS_client_method()))
    {
        SSL_CTX_set_session_cache_mode(client.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_set_app_data(client.get(), this);
        SSL_CTX_sess_set_new_cb(client.get(), [](SSL* ssl, SSL_SESSION* fresh) {
            static_cast<World*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session.reset(fresh);
            return 1;
        });
    }

    tls::ServerContext server;
    tls::SslCtxPtr client;
    tls::SessionPtr session;
    const tls::TicketKey key;
};

/// A connection over a socket pair; the client's end does not block either.
struct Connection {
    Connection(World& world, tls::Purpose purpose)
    {
        int ends[2];
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
        const int bytes = static_cast<int>(4 * kChunk);
        ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
        ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
        client_fd.reset(ends[1]);
        server.emplace(UniqueFd(ends[0]));
        client.reset(SSL_new(world.client.get()));
        SSL_set_fd(client.get(), client_fd.get());
        SSL_set_connect_state(client.get());
        if (purpose == tls::Purpose::data && world.session) {
            const tls::SessionPtr copy(SSL_SESSION_dup(world.session.get())); // OpenSSL spoils one that was used
            SSL_set_session(client.get(), copy.get());
        }
        bool is_done = false;
        measured([&] { require(server->start_tls(world.server, purpose, &world.key).has_value(), "start_tls"); });
        while (!is_done) {
            SSL_do_handshake(client.get());
            measured([&] { is_done = server->try_handshake().kind == Kind::done; });
        }
        char nothing = 0;
        SSL_read(client.get(), &nothing, 1); // tickets
    }

    Connection(const Connection&) = delete;
    ~Connection() { SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); } // likewise one not closed well

    UniqueFd client_fd;
    std::optional<tls::Stream> server;
    tls::SslPtr client;
};

std::function<void()> prepare_full_handshake()
{
    return [world = std::make_shared<World>()] { Connection(*world, tls::Purpose::control); };
}

std::function<void()> prepare_resumed_handshake()
{
    auto world = std::make_shared<World>();
    { const Connection login(*world, tls::Purpose::control); }
    return [world] {
        const Connection data(*world, tls::Purpose::data);
        require(data.server->handshake_info().is_bound, "not resumed");
    };
}

/// As the pump of a download: a chunk is sealed and sent.
std::function<void()> prepare_sealing()
{
    auto world = std::make_shared<World>();
    auto connection = std::make_shared<Connection>(*world, tls::Purpose::data);
    auto chunk = std::make_shared<std::vector<std::byte>>(kChunk);
    return [world, connection, chunk] {
        tls::Stream& server = *connection->server;
        measured([&] {
            auto rest = std::span<const std::byte>(*chunk);
            while (!rest.empty()) {
                const auto step = server.try_write(rest);
                require(step.kind == Kind::done, "the socket is full");
                rest = rest.subspan(step.bytes);
            }
            require(server.try_flush().kind == Kind::done, "the socket is full");
        });
        std::vector<std::byte> taken(2 * kChunk);
        while (::read(connection->client_fd.get(), taken.data(), taken.size()) > 0)
            continue;
    };
}

/// As the pump of an upload: what a client has sealed is received and opened.
std::function<void()> prepare_opening()
{
    auto world = std::make_shared<World>();
    auto connection = std::make_shared<Connection>(*world, tls::Purpose::data);
    auto chunk = std::make_shared<std::vector<std::byte>>(kChunk);
    return [world, connection, chunk] {
        require(SSL_write(connection->client.get(), chunk->data(), static_cast<int>(kChunk)) == static_cast<int>(kChunk),
            "the socket is full");
        tls::Stream& server = *connection->server;
        measured([&] {
            for (std::size_t got = 0; got < kChunk;) {
                const auto step = server.try_read(*chunk);
                require(step.kind == Kind::done, "not all has come");
                got += step.bytes;
            }
        });
    };
}

} // namespace

std::vector<Part> stream_parts()
{
    return {{"a full handshake", prepare_full_handshake}, {"a data connection's resumed handshake", prepare_resumed_handshake},
        {"512 KiB sealed", prepare_sealing}, {"512 KiB opened", prepare_opening}};
}

} // namespace safetp::bench
