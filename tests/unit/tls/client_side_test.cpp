// Streams as TLS clients: against our own server side, and tickets one by one.
#include "tls/support.h"

#include "tls/client_context.h"

#include <gtest/gtest.h>

namespace safetp::tls::test {
namespace {

using Kind = IoStep::Kind;

/// Turns both ends until both are done or one has failed. Gives the client's last step.
IoStep shake(Stream& server, Stream& client)
{
    for (int turn = 0; turn < 100; ++turn) {
        const IoStep step = client.try_handshake();
        const IoStep other = server.try_handshake();
        const bool is_over = step.kind == Kind::failed || (step.kind == Kind::done && other.kind != Kind::want_read);
        if (is_over)
            return step;
    }
    return {Kind::failed, 0, Error{ErrorCode::timed_out, 0, "the handshake goes round and round"}};
}

class ClientSide : public testing::Test {
protected:
    ClientSide()
    {
        own_.make();
        server_ = serve(own_, "server");
        context_ = std::make_unique<tls::ClientContext>(tls::ClientContext::make({}).value());
    }

    std::unique_ptr<ServerContext> serve(const Certificate& certificate, const std::string& name)
    {
        ContextOptions options;
        options.certificates = {certificate.save(directory_, name)};
        return std::make_unique<ServerContext>(ServerContext::make(options).value());
    }

    ClientSession session(bool is_trusted = true, const std::string& host = "localhost")
    {
        return ClientSession(*context_, {host, [this, is_trusted](const PeerCertificate& certificate) {
            judged_.push_back(certificate);
            return is_trusted;
        }});
    }

    struct Pair {
        Stream server;
        Stream client;
        IoStep step;
    };
    Pair open(ClientSession& session, Purpose purpose, const ServerContext& context)
    {
        SocketPair sockets = local_pair();
        Pair pair{Stream(std::move(sockets.server)), Stream(std::move(sockets.client)), {}};
        EXPECT_TRUE(pair.server.start_tls(context, purpose, &key_));
        EXPECT_TRUE(pair.client.start_tls(session, purpose));
        pair.step = shake(pair.server, pair.client);
        return pair;
    }
    Pair open(ClientSession& session, Purpose purpose) { return open(session, purpose, *server_); }

    /// Lets the client see what the server has to say after the handshake: TLS 1.3's tickets.
    static void exchange(Pair& pair)
    {
        IoStep last;
        write_text(pair.server, "hello");
        EXPECT_EQ(read_all_there(pair.client, last), "hello");
        write_text(pair.client, "hello");
        EXPECT_EQ(read_all_there(pair.server, last), "hello");
    }

    TemporaryDirectory directory_;
    Certificate own_{.common_name = "localhost", .dns_names = {"localhost"}};
    std::unique_ptr<ServerContext> server_;
    std::unique_ptr<tls::ClientContext> context_;
    TicketKey key_;
    std::vector<PeerCertificate> judged_;
};

TEST_F(ClientSide, SpeaksWithTheServerSide)
{
    ClientSession session = this->session();
    Pair pair = open(session, Purpose::control);
    ASSERT_EQ(pair.step.kind, Kind::done) << describe(pair.step.error);
    exchange(pair);
    const HandshakeInfo& info = pair.client.handshake_info();
    EXPECT_EQ(info.version, "TLSv1.3");
    EXPECT_FALSE(info.is_resumed);
    ASSERT_TRUE(info.server);
    EXPECT_EQ(info.server->key_fingerprint.substr(0, 7), "SHA256:");
    EXPECT_EQ(pair.server.handshake_info().server_name, "localhost");
    EXPECT_EQ(pair.client.try_close_notify().kind, Kind::done);
    IoStep last;
    EXPECT_EQ(read_all_there(pair.server, last), "");
    EXPECT_EQ(last.kind, Kind::eof);
}

TEST_F(ClientSide, SendsNoAddressAsServerName)
{
    ClientSession session = this->session(true, "127.0.0.1");
    const Pair pair = open(session, Purpose::control);
    ASSERT_EQ(pair.step.kind, Kind::done);
    EXPECT_EQ(pair.server.handshake_info().server_name, "");
}

TEST_F(ClientSide, TheJudgeDecides)
{
    ClientSession session = this->session(false);
    const Pair pair = open(session, Purpose::control);
    EXPECT_EQ(pair.step.kind, Kind::failed);
    EXPECT_EQ(pair.step.error.code, ErrorCode::tls_untrusted);
    ASSERT_EQ(judged_.size(), 1u);
    EXPECT_FALSE(judged_.front().is_vouched); // it has made its certificate itself
    EXPECT_TRUE(judged_.front().is_name_right);
}

TEST_F(ClientSide, DataConnectionsResumeAndAreNotJudgedAgain)
{
    ClientSession session = this->session();
    Pair control = open(session, Purpose::control);
    exchange(control);
    EXPECT_EQ(session.unused_tickets(), 2u);
    for (std::size_t left = 2; left-- > 0;) {
        Pair data = open(session, Purpose::data);
        ASSERT_EQ(data.step.kind, Kind::done) << describe(data.step.error);
        exchange(data);
        EXPECT_TRUE(data.client.handshake_info().is_resumed);
        EXPECT_TRUE(data.server.handshake_info().is_bound);
        EXPECT_EQ(session.unused_tickets(), left);
    }
    EXPECT_EQ(judged_.size(), 1u);
}

// Better a ticket twice than a data connection that a server refuses; but a fresh one is preferred as soon as it is there.
TEST_F(ClientSide, AUsedTicketIsTheLastResort)
{
    ClientSession session = this->session();
    Pair control = open(session, Purpose::control);
    exchange(control);
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(open(session, Purpose::data).client.handshake_info().is_resumed) << i;
    EXPECT_EQ(session.unused_tickets(), 0u);
    control.server.issue_ticket();
    exchange(control);
    EXPECT_EQ(session.unused_tickets(), 1u);
    EXPECT_TRUE(open(session, Purpose::data).client.handshake_info().is_resumed);
    EXPECT_EQ(session.unused_tickets(), 0u);
}

TEST_F(ClientSide, AFailedConnectionSpoilsNoTicket)
{
    ClientSession session = this->session();
    Pair control = open(session, Purpose::control);
    exchange(control);
    for (int i = 0; i < 3; ++i) {
        Pair data = open(session, Purpose::data);
        EXPECT_TRUE(data.client.handshake_info().is_resumed) << i;
        data.client.reset();
    }
}

TEST_F(ClientSide, AnotherKeyOnADataConnectionIsRefused)
{
    Certificate other{.common_name = "localhost", .dns_names = {"localhost"}};
    const auto impostor = serve(other.make(), "impostor");
    ClientSession session = this->session();
    Pair control = open(session, Purpose::control);
    ASSERT_EQ(control.step.kind, Kind::done);
    const Pair data = open(session, Purpose::data, *impostor);
    EXPECT_EQ(data.step.kind, Kind::failed);
    EXPECT_EQ(data.step.error.code, ErrorCode::tls_other_key);
    EXPECT_EQ(judged_.size(), 1u) << "nobody may be asked to trust it";
}

TEST_F(ClientSide, ADataConnectionBeforeTheControlConnectionIsRefused)
{
    ClientSession session = this->session();
    const Pair data = open(session, Purpose::data);
    EXPECT_EQ(data.step.error.code, ErrorCode::tls_other_key);
}

TEST_F(ClientSide, ATicketOfAnotherFtpSessionIsNoneOfOurs)
{
    ClientSession first = session();
    ClientSession second = session();
    Pair control = open(first, Purpose::control);
    exchange(control);
    EXPECT_EQ(second.unused_tickets(), 0u);
    Pair other = open(second, Purpose::control);
    EXPECT_FALSE(other.client.handshake_info().is_resumed);
}

TEST_F(ClientSide, OldTlsHasAnErrorOfItsOwn)
{
    const std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> old(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_security_level(old.get(), 0);
    SSL_CTX_set_max_proto_version(old.get(), TLS1_1_VERSION);
    SSL_CTX_set_min_proto_version(old.get(), TLS1_VERSION);
    SSL_CTX_use_certificate(old.get(), own_.x509.get());
    SSL_CTX_use_PrivateKey(old.get(), own_.key.get());
    SocketPair sockets = local_pair();
    const std::unique_ptr<SSL, FreeWith<SSL_free>> server(SSL_new(old.get()));
    SSL_set_fd(server.get(), sockets.server.get());
    ClientSession session = this->session();
    Stream client(std::move(sockets.client));
    ASSERT_TRUE(client.start_tls(session, Purpose::control));
    EXPECT_EQ(client.try_handshake().kind, Kind::want_read);
    SSL_accept(server.get());
    const IoStep step = client.try_handshake();
    EXPECT_EQ(step.kind, Kind::failed);
    EXPECT_EQ(step.error.code, ErrorCode::tls_version);
}

TEST_F(ClientSide, TruncationIsToldFromTheEnd)
{
    ClientSession session = this->session();
    Pair control = open(session, Purpose::control);
    exchange(control);
    Pair data = open(session, Purpose::data);
    write_text(data.server, "half of it");
    data.server.close();
    IoStep last;
    EXPECT_EQ(read_to_the_end(data.client, last), "half of it");
    EXPECT_EQ(last.kind, Kind::failed);
    EXPECT_EQ(last.error.code, ErrorCode::tls_truncated);
}

TEST_F(ClientSide, BadOptionsAreExplained)
{
    for (const ClientOptions& options : {ClientOptions{.authorities = directory_.path("nowhere")},
             ClientOptions{.certificate = {.certificate = directory_.path("nowhere")}},
             ClientOptions{.minimum_version = "1.1"}}) {
        const auto context = tls::ClientContext::make(options);
        ASSERT_FALSE(context);
        EXPECT_EQ(context.error().code, ErrorCode::tls_setup);
        EXPECT_FALSE(context.error().context.empty());
    }
}

} // namespace
} // namespace safetp::tls::test
