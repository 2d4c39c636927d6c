// Sessions under TLS: who may bring a data connection, and when he may begin.
#include "proxy/session_tls.h"
#include "tls/support.h"

namespace safetp::proxy {
namespace {

using net::Task;
using test::Peer;
using test::SessionTlsTest;

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
        co_await begin_transfer("STOR a");
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
        EXPECT_EQ(got, "<end>") << "nothing was transferred";
        co_await server_->say("150 begins");
        co_await server_data_->expect("<broken>");
    });
}

// A stranger behind the same NAT, who comes first and cannot resume: he gets nothing, and takes nothing from the client.
TEST_F(SessionTlsTest, AStrangerWhoComesFirstTakesNoTransferWhereResumptionIsRequired)
{
    listener_.session_reuse = config::SessionReuse::require;
    for (const bool is_silent : {false, true}) {
        play([&]() -> Task<> {
            co_await log_in_by_tls();
            const test::SslSession session = client_->session();
            const Endpoint target = co_await passive();
            std::unique_ptr<Peer> stranger = dial(target);
            if (!is_silent) {
                const bool is_secure = co_await stranger->start_tls(client_context_.get());
                EXPECT_TRUE(is_secure);
            }
            client_data_ = dial(target);
            const bool is_secure = co_await client_data_->start_tls(client_context_.get(), session.get());
            EXPECT_TRUE(is_secure && client_data_->is_resumed());
            co_await begin_transfer("RETR a");
            co_await finish_download("content");
            const std::string strangers = co_await stranger->rest();
            EXPECT_EQ(strangers.find("content"), std::string::npos);
        });
    }
}

TEST_F(SessionTlsTest, OneWhoResumesIsPreferredToOneWhoCameFirst)
{
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        const Endpoint target = co_await passive();
        std::unique_ptr<Peer> stranger = dial(target);
        co_await stranger->start_tls(client_context_.get());
        client_data_ = dial(target);
        co_await client_data_->start_tls(client_context_.get(), session.get());
        co_await begin_transfer("STOR a");
        co_await say_150();
        co_await stranger->write("the stranger's");
        co_await client_data_->write("content");
        co_await client_data_->send_close_notify();
        client_data_->finish();
        const std::string got = co_await server_data_->rest();
        EXPECT_EQ(got, "content<end>");
        co_await server_->say("226 done");
        co_await client_->expect("226 done");
    });
}

TEST_F(SessionTlsTest, AnyNumberOfSilentStrangersLeaveRoomForTheClient)
{
    listener_.session_reuse = config::SessionReuse::require;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        const Endpoint target = co_await passive();
        std::vector<std::unique_ptr<Peer>> strangers;
        for (int i = 0; i < 12; ++i)
            strangers.push_back(dial(target));
        client_data_ = dial(target);
        co_await client_data_->start_tls(client_context_.get(), session.get());
        co_await begin_transfer("RETR a");
        co_await finish_download("");
    });
}

TEST_F(SessionTlsTest, AResumedOneIsTakenWhereResumptionIsRequired)
{
    listener_.session_reuse = config::SessionReuse::require;
    play([&]() -> Task<> {
        co_await log_in_by_tls();
        const test::SslSession session = client_->session();
        co_await begin_tls_transfer("RETR a", session.get());
        co_await finish_download("");
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
        co_await finish_download("");
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
        co_await begin_transfer("RETR a");
        const std::unique_ptr<Peer> stranger = dial(target, *IpAddress::parse("127.9.9.9"));
        co_await stranger->start_tls(client_context_.get());
        const std::string got = co_await stranger->rest();
        EXPECT_EQ(got.find("content"), std::string::npos);
        const bool is_secure = co_await dial_data_by_tls(target, session.get());
        EXPECT_TRUE(is_secure);
        co_await finish_download("content");
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
        co_await begin_transfer("RETR a");
        co_await finish_download("content");
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
        EXPECT_EQ(got, "<end>") << "nothing was transferred";
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
        co_await begin_transfer("RETR a");
        co_await finish_download("");
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
        co_await begin_transfer("STOR a");
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
        EXPECT_EQ(got, "<end>") << "nothing was transferred";
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

} // namespace
} // namespace safetp::proxy
