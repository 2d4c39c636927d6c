// Sessions under TLS: what may stand before and behind AUTH, how transfers end, CCC.
#include "proxy/session_tls.h"
#include "tls/support.h"

namespace safetp::proxy {
namespace {

using net::Task;

using test::SessionTlsTest;

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
