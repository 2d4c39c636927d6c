// Sessions under TLS: what may stand before and behind AUTH, and who may bring a data connection.
#include "proxy/gateway.h"
#include "tls/support.h"

namespace safetp::proxy {
namespace {

using net::Task;
using test::Peer;

class SessionTlsTest : public test::Gateway {
protected:
    SessionTlsTest() { listener_.security = config::Security::required; }

    /// The client's data connection, which offers to resume `session`.
    Task<bool> dial_data_by_tls(Endpoint target, SSL_SESSION* session)
    {
        client_data_ = dial(target);
        const bool is_secure = co_await client_data_->start_tls(client_context_.get(), session);
        co_return is_secure;
    }

    /// EPSV, `command`, and the client's handshake.
    Task<> begin_tls_transfer(std::string command, SSL_SESSION* session)
    {
        const Endpoint target = co_await passive();
        co_await client_->say(command);
        co_await server_->expect(command);
        server_data_ = co_await accept(server_data_listener_);
        const bool is_secure = co_await dial_data_by_tls(target, session);
        EXPECT_TRUE(is_secure);
    }

    Task<> say_150()
    {
        co_await server_->say("150 begins");
        co_await client_->expect("150 begins");
    }
};

TEST_F(SessionTlsTest, NothingSecretIsTakenInClear)
{
    play([&]() -> Task<> {
        co_await greet();
        for (const std::string command : {"USER joe", "PASS secret-word", "ACCT x", "CWD /", "EPSV", "RETR a"}) {
            co_await client_->say(command);
            co_await client_->expect("530 TLS is required here: please use AUTH TLS before USER.");
        }
        EXPECT_FALSE(server_->has_unread()) << "the raw ftpd must not hear of it";
    });
    EXPECT_EQ(log_.find("secret"), std::string::npos) << log_;
}

TEST_F(SessionTlsTest, Download)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        co_await begin_tls_transfer("RETR a", session.get());
        EXPECT_TRUE(client_data_->is_resumed());
        co_await say_150();
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>") << "<end> is close_notify";
        co_await client_->expect("226 done");
    });
    EXPECT_EQ(log_.find("secret"), std::string::npos) << log_;
}

TEST_F(SessionTlsTest, Upload)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        co_await begin_tls_transfer("STOR a", session.get());
        co_await say_150();
        co_await client_data_->write("content");
        co_await client_data_->send_close_notify();
        const std::string content = co_await server_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await server_->say("226 done");
        co_await client_->expect("226 done");
    });
}

// ---- truncation: whoever sits between may cut a TCP connection, but cannot make a close_notify

TEST_F(SessionTlsTest, AnUploadThatEndsWithoutCloseNotifyIsBrokenOffAtTheServer)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("STOR a", nullptr);
        co_await say_150();
        co_await client_data_->write("half");
        client_data_->finish(); // FIN alone
        const std::string got = co_await server_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << "the server would take it for whole: " << got;
        co_await client_->expect("426 The data connection broke off, transfer aborted.");
    });
    EXPECT_NE(log_.find("STOR incomplete"), std::string::npos) << log_;
}

TEST_F(SessionTlsTest, ADownloadThatBreaksOffEndsWithoutCloseNotify)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("RETR a", nullptr);
        co_await say_150();
        co_await server_data_->write("half");
        server_data_->reset();
        const std::string got = co_await client_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << "the client would take it for whole: " << got;
    });
}

TEST_F(SessionTlsTest, WithoutTheServersWordThereIsNoCloseNotify)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("RETR a", nullptr);
        co_await say_150();
        co_await server_data_->write("half");
        server_data_->close();
        server_->close();
        const std::string got = co_await client_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << "the client would take it for whole: " << got;
    });
}

// A reset in place of it leaves many client libraries one reply behind.
TEST_F(SessionTlsTest, ARefusalAfterDataThatEndedInOrderComesAfterCloseNotify)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("LIST nosuchdir", nullptr);
        co_await say_150();
        server_data_->close();
        co_await server_->say("450 nosuchdir: No such file or directory");
        co_await client_data_->expect("<end>");
        co_await client_->expect("450 nosuchdir: No such file or directory");
        co_await relay("NOOP", "200 ok");
    });
}

TEST_F(SessionTlsTest, ARefusalAtOnceComesBeforeCloseNotify)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("RETR a", nullptr);
        co_await server_->say("550 no");
        co_await client_->expect("550 no");
        co_await client_data_->expect("<end>");
        co_await relay("NOOP", "200 ok");
    });
}

// Clients begin TLS when they have connected; the refusal may overtake that.
TEST_F(SessionTlsTest, AHandshakeThatBeginsAfterTheRefusalIsCompleted)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const Endpoint target = co_await passive();
        client_data_ = dial(target);
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        co_await server_->say("550 no");
        co_await client_->expect("550 no");
        const bool is_secure = co_await client_data_->start_tls(client_context_.get());
        EXPECT_TRUE(is_secure);
        co_await client_data_->expect("<end>");
        co_await relay("NOOP", "200 ok");
    });
}

// ---- plain text behind AUTH (STARTTLS injection)

class PlainTextBehindAuth : public SessionTlsTest, public testing::WithParamInterface<const char*> { };

TEST_P(PlainTextBehindAuth, EndsTheSession)
{
    play([&]() -> Task<> {
        co_await greet();
        co_await client_->write(GetParam());
        co_await client_->expect("234 Ready for TLS.");
        const bool is_secure = co_await client_->start_tls(client_context_.get());
        EXPECT_FALSE(is_secure);
        co_await server_->expect("<end>");
    });
    EXPECT_NE(log_.find("session ended: plain text behind AUTH"), std::string::npos) << log_;
}

INSTANTIATE_TEST_SUITE_P(All, PlainTextBehindAuth,
    testing::Values("AUTH TLS\r\nUSER mallory\r\n", "AUTH TLS\r\nU", "AUTH TLS\r\n\r\n", "auth ssl\r\nPBSZ 0\r\n"));

TEST_F(SessionTlsTest, NothingIsSaidToTheClientDuringTheHandshake)
{
    play([&]() -> Task<> {
        co_await greet();
        co_await client_->say("AUTH TLS");
        co_await client_->expect("234 Ready for TLS.");
        server_->close(); // the 421 would be plain text among the records
        const std::string got = co_await client_->rest();
        EXPECT_EQ(got, "<end>");
    });
}

TEST_F(SessionTlsTest, AHandshakeThatFailsEndsTheSessionSilently)
{
    play([&]() -> Task<> {
        co_await greet();
        co_await client_->say("AUTH TLS");
        co_await client_->expect("234 Ready for TLS.");
        co_await client_->write("USER mallory\r\n");
        const std::string got = co_await client_->rest();
        EXPECT_EQ(got.find("331"), std::string::npos);
        EXPECT_EQ(got.find("421"), std::string::npos);
        co_await server_->expect("<end>");
        co_await tasks_.all_done(); // and it is not waited for what the client says to that
    });
    EXPECT_NE(log_.find("session ended: TLS failed"), std::string::npos) << log_;
}

TEST_F(SessionTlsTest, AHandshakeHasATimeLimit)
{
    config_.timeouts.handshake = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await greet();
        co_await client_->say("AUTH TLS");
        co_await client_->expect("234 Ready for TLS.");
        co_await client_->expect("<end>");
    });
    EXPECT_NE(log_.find("TLS handshake timed out"), std::string::npos) << log_;
}

// ---- implicit TLS

TEST_F(SessionTlsTest, ImplicitTlsSaysNothingInClear)
{
    listener_.implicit_tls = true;
    play([&]() -> Task<> {
        const bool is_secure = co_await client_->start_tls(client_context_.get());
        EXPECT_TRUE(is_secure);
        co_await greet();
        co_await relay("USER joe", "230 in");
    });
}

TEST_F(SessionTlsTest, ImplicitTlsAndAServerThatCannotBeReachedInTime)
{
    listener_.implicit_tls = true;
    server_listener_ = net::test::listening_socket({kHere, 0}, 0);
    config_.server.port = local_endpoint(server_listener_.get()).value().port;
    const UniqueFd fills_the_queue = net::test::connected_socket({kHere, config_.server.port}, {kHere, 0});
    config_.timeouts.server_connect = std::chrono::seconds(0);
    play([&]() -> Task<> {
        const bool is_secure = co_await client_->start_tls(client_context_.get());
        EXPECT_TRUE(is_secure);
        co_await client_->expect("421 The FTP server behind this gateway cannot be reached, please try again later.");
        co_await client_->expect("<end>");
    });
}

// ---- whose data connection it is

TEST_F(SessionTlsTest, ClearDataIsRefusedAfterLoginByTls)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await client_->say("PROT C");
        co_await client_->expect("534 PROT P is required here.");
    });
}

TEST_F(SessionTlsTest, PlainBytesOnAProtectedDataConnectionAreNoUpload)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const Endpoint target = co_await passive();
        co_await client_->say("STOR a");
        co_await server_->expect("STOR a");
        server_data_ = co_await accept(server_data_listener_);
        client_data_ = dial(target);
        co_await client_data_->write("plain text");
        client_data_->finish();
        co_await client_->expect("522 The TLS handshake on the data connection failed.");
        co_await server_->say("150 begins");
        const std::string got = co_await server_data_->rest();
        EXPECT_EQ(got, "<broken>");
    });
}

TEST_F(SessionTlsTest, AFullHandshakeIsRefusedWhereResumptionIsRequired)
{
    listener_.session_reuse = config::SessionReuse::require;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("RETR a", nullptr);
        co_await client_->expect("522 The data connection must resume the control connection's TLS session.");
        const std::string got = co_await client_data_->rest();
        EXPECT_EQ(got, "<broken>");
        co_await server_->say("150 begins");
        co_await server_data_->expect("<broken>");
    });
}

TEST_F(SessionTlsTest, AResumedOneIsTakenWhereResumptionIsRequired)
{
    listener_.session_reuse = config::SessionReuse::require;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        co_await begin_tls_transfer("RETR a", session.get());
        co_await say_150();
        server_data_->close();
        co_await server_->say("226 done");
        co_await client_->expect("226 done");
    });
}

TEST_F(SessionTlsTest, NothingIsResumedWhereResumptionIsOff)
{
    listener_.session_reuse = config::SessionReuse::off;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        co_await begin_tls_transfer("RETR a", session.get());
        EXPECT_FALSE(client_data_->is_resumed());
        co_await say_150();
        server_data_->close();
        co_await server_->say("226 done");
        co_await client_->expect("226 done");
    });
}

// Where any address may come, a stranger without the session must not take the client's place.
TEST_F(SessionTlsTest, AStrangerIsSentAwayAndTheClientServedWhereAnyAddressMayCome)
{
    listener_.session_reuse = config::SessionReuse::require;
    config_.data.peer = config::DataPeer::any;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        const Endpoint target = co_await passive();
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data_listener_);
        const std::unique_ptr<Peer> stranger = dial(target, *IpAddress::parse("127.9.9.9"));
        co_await stranger->start_tls(client_context_.get());
        const std::string got = co_await stranger->rest();
        EXPECT_EQ(got.find("content"), std::string::npos);
        const bool is_secure = co_await dial_data_by_tls(target, session.get());
        EXPECT_TRUE(is_secure);
        co_await say_150();
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await client_->expect("226 done");
    });
}

// ---- a client that begins TLS before its transfer's command, as curl does

TEST_F(SessionTlsTest, AHandshakeBeforeTheCommandIsAnswered)
{
    listener_.session_reuse = config::SessionReuse::require;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        const Endpoint target = co_await passive();
        const bool is_secure = co_await dial_data_by_tls(target, session.get());
        EXPECT_TRUE(is_secure);
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data_listener_);
        co_await say_150();
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await client_->expect("226 done");
    });
}

TEST_F(SessionTlsTest, AHandshakeBeforeTheCommandThatFailsIsToldToTheTransfer)
{
    listener_.session_reuse = config::SessionReuse::require;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const Endpoint target = co_await passive();
        co_await dial_data_by_tls(target, nullptr);
        co_await relay("NOOP", "200 nothing is said of it until there is a transfer");
        co_await client_->say("RETR a");
        co_await client_->expect("522 The data connection must resume the control connection's TLS session.");
        const std::string got = co_await client_data_->rest();
        EXPECT_EQ(got, "<broken>");
    });
}

TEST_F(SessionTlsTest, ProtCAfterAHandshakeIsNoTransferInClear)
{
    listener_.data_security = config::DataSecurity::optional;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const Endpoint target = co_await passive();
        const bool is_secure = co_await dial_data_by_tls(target, nullptr);
        EXPECT_TRUE(is_secure);
        co_await client_->say("PROT C");
        co_await client_->expect("200 Data connections are clear.");
        co_await client_->say("RETR a");
        co_await client_->expect("522 The TLS handshake on the data connection failed.");
    });
}

TEST_F(SessionTlsTest, AStrangersHandshakeBeforeTheCommandDoesNotTakeTheClientsPlace)
{
    listener_.session_reuse = config::SessionReuse::require;
    config_.data.peer = config::DataPeer::any;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        const Endpoint target = co_await passive();
        const std::unique_ptr<Peer> stranger = dial(target, *IpAddress::parse("127.9.9.9"));
        co_await stranger->start_tls(client_context_.get());
        co_await stranger->rest();
        const bool is_secure = co_await dial_data_by_tls(target, session.get());
        EXPECT_TRUE(is_secure);
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data_listener_);
        co_await say_150();
        server_data_->close();
        co_await server_->say("226 done");
        co_await client_->expect("226 done");
    });
}

TEST_F(SessionTlsTest, BytesThatAreNoTlsBeginNothingBeforeTheCommand)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const Endpoint target = co_await passive();
        client_data_ = dial(target);
        co_await client_data_->write("plain text");
        client_data_->finish();
        co_await relay("NOOP", "200 the gateway has seen them, and waits");
        co_await client_->say("STOR a");
        co_await server_->expect("STOR a");
        server_data_ = co_await accept(server_data_listener_);
        co_await client_->expect("522 The TLS handshake on the data connection failed.");
        co_await server_->say("150 begins");
        const std::string got = co_await server_data_->rest();
        EXPECT_EQ(got, "<broken>");
    });
}

// ---- client certificates

class ClientCertificates : public SessionTlsTest {
protected:
    ClientCertificates()
    {
        authority_.make();
        joe_.make();
        eve_.make();
        tls_options_.client_certificate = tls::ClientCertificate::request;
        tls_options_.client_ca = authority_.save(directory_, "ca").certificate;
        bear(joe_);
    }

    /// What the client's next handshakes show.
    void bear(const tls::test::Certificate& certificate)
    {
        SSL_CTX_use_certificate(client_context_.get(), certificate.x509.get());
        SSL_CTX_use_PrivateKey(client_context_.get(), certificate.key.get());
    }

    Task<> expect_refused()
    {
        co_await begin_tls_transfer("RETR a", nullptr);
        co_await client_->expect("522 The data connection came with another client certificate.");
        const std::string got = co_await client_data_->rest();
        EXPECT_EQ(got, "<broken>");
    }

    tls::test::TemporaryDirectory directory_;
    tls::test::Certificate authority_{.common_name = "client CA", .is_authority = true};
    tls::test::Certificate joe_{.common_name = "joe", .issuer = &authority_};
    tls::test::Certificate eve_{.common_name = "eve", .issuer = &authority_};
};

TEST_F(ClientCertificates, TheSameOneOnDataIsTaken)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await begin_tls_transfer("RETR a", nullptr);
        co_await say_150();
    });
    EXPECT_NE(log_.find("CN=joe"), std::string::npos) << log_;
}

TEST_F(ClientCertificates, AnotherOneOnDataIsRefused)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        bear(eve_);
        co_await expect_refused();
    });
    EXPECT_NE(log_.find("another client certificate"), std::string::npos) << log_;
}

TEST_F(ClientCertificates, NoneOnDataIsRefused)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        client_context_.reset(SSL_CTX_new(TLS_client_method()));
        co_await expect_refused();
    });
}

// ---- CCC

class Ccc : public SessionTlsTest {
protected:
    Ccc() { listener_.allow_ccc = true; }

    Task<> clear()
    {
        co_await log_in_by_tls();
        co_await client_->say("CCC");
        co_await client_->expect("200 The control connection is clear from here on.");
    }
};

TEST_F(Ccc, GoesOnInClearAfterCloseNotifyBothWays)
{
    play([&]() -> Task<> {
        co_await clear();
        co_await client_->send_close_notify();
        co_await client_->expect("<end>"); // the gateway's close_notify
        client_->end_tls();
        co_await relay("NOOP", "200 ok");
        co_await client_->say("USER mallory");
        co_await client_->expect("530 TLS is required here: please use AUTH TLS before USER.");
    });
}

TEST_F(Ccc, AnythingElseThanCloseNotifyEndsTheSession)
{
    play([&]() -> Task<> {
        co_await clear();
        co_await client_->say("NOOP");
        co_await server_->expect("<end>");
    });
    EXPECT_NE(log_.find("no close_notify came after CCC"), std::string::npos) << log_;
}

// Plain text that came together with close_notify could be anybody's.
TEST_F(Ccc, ALineBegunBeforeCloseNotifyEndsTheSession)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        co_await client_->write("CCC\r\nDELE "); // one record
        co_await client_->expect("200 The control connection is clear from here on.");
        co_await client_->send_close_notify();
        co_await server_->expect("<end>");
    });
    EXPECT_NE(log_.find("no close_notify came after CCC"), std::string::npos) << log_;
}

TEST_F(Ccc, FinIsNoCloseNotify)
{
    play([&]() -> Task<> {
        co_await clear();
        client_->finish();
        co_await server_->expect("<end>");
    });
    EXPECT_NE(log_.find("no close_notify came after CCC"), std::string::npos) << log_;
}

} // namespace
} // namespace safetp::proxy
