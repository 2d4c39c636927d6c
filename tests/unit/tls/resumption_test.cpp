#include "tls/support.h"
#include "tls/openssl_versions.h"

#include <gtest/gtest.h>
#include <set>

namespace safetp::tls::test {
namespace {

using Kind = IoStep::Kind;
using std::chrono::hours;

/// One connection of a client of `client_context` with the FTP session that has `key`.
struct Connection {
    Connection(const ServerContext& context, SSL_CTX* client_context, Purpose purpose, const TicketKey& key,
               SSL_SESSION* session = nullptr, const char* host_name = nullptr)
        : Connection(context, client_context, purpose, key, session, host_name, local_pair())
    {
    }
    Connection(const ServerContext& context, SSL_CTX* client_context, Purpose purpose, const TicketKey& key,
               SSL_SESSION* session, const char* host_name, SocketPair pair)
        : server(std::move(pair.server)), client(client_context, std::move(pair.client))
    {
        EXPECT_TRUE(server.start_tls(context, purpose, &key));
        if (session != nullptr)
            client.offer(session);
        if (host_name != nullptr)
            client.name(host_name);
        const IoStep step = connect(server, client);
        EXPECT_EQ(step.kind, Kind::done) << describe(step.error) << ", client: " << client.failure();
    }

    bool is_resumed() const { return server.handshake_info().is_resumed; }
    bool is_bound() const { return server.handshake_info().is_bound; }

    Stream server;
    Client client;
};

enum class Way { ticket12, id12, ticket13 };

class Resumption : public testing::TestWithParam<Way> {
protected:
    Resumption()
        : client_context_(client_context(GetParam() == Way::ticket13 ? TLS1_3_VERSION : TLS1_2_VERSION))
    {
        if (GetParam() == Way::id12)
            SSL_CTX_set_options(client_context_.get(), SSL_OP_NO_TICKET);
        Certificate first{.common_name = "first", .dns_names = {"a.example.com"}};
        Certificate second{.common_name = "second", .dns_names = {"b.example.com"}};
        options_.certificates = {first.make().save(directory_, "1"), second.make().save(directory_, "2")};
        context_ = std::make_unique<ServerContext>(ServerContext::make(options_).value());
    }
    ~Resumption() override { clock_offset = 0; }

    std::unique_ptr<Connection> open(Purpose purpose, const TicketKey& key, SSL_SESSION* session = nullptr,
                                     const char* host_name = nullptr)
    {
        return std::make_unique<Connection>(*context_, client_context_.get(), purpose, key, session, host_name);
    }
    Session take() { return take_session(client_context_.get()); }

    /// A session for the next connection: a fresh one where the server can issue it.
    Session next_session(Connection& control, Session& first)
    {
        if (GetParam() != Way::ticket13) {
            SSL_SESSION_up_ref(first.get());
            return Session(first.get());
        }
        control.server.issue_ticket();
        EXPECT_EQ(write_text(control.server, "150\r\n").kind, Kind::done);
        EXPECT_EQ(control.client.read(), "150\r\n");
        return take();
    }

    TemporaryDirectory directory_;
    ContextOptions options_;
    std::unique_ptr<ServerContext> context_;
    ClientContext client_context_;
    TicketKey key_;
    TicketKey other_key_;
};

std::string name_of(const testing::TestParamInfo<Way>& way)
{
    switch (way.param) {
    case Way::ticket12: return "Tls12Ticket";
    case Way::id12: return "Tls12SessionId";
    default: return "Tls13";
    }
}

/// What only some of the ways can do.
class SessionIdResumption : public Resumption { };
class Tls13Resumption : public Resumption { };

INSTANTIATE_TEST_SUITE_P(Ways, Resumption, testing::Values(Way::ticket12, Way::id12, Way::ticket13), name_of);
INSTANTIATE_TEST_SUITE_P(Ways, SessionIdResumption, testing::Values(Way::id12), name_of);
INSTANTIATE_TEST_SUITE_P(Ways, Tls13Resumption, testing::Values(Way::ticket13), name_of);

TEST_P(Resumption, DataResumesItsOwnControlSession)
{
    const auto control = open(Purpose::control, key_);
    EXPECT_FALSE(control->is_resumed());
    const Session session = take();
    ASSERT_NE(session, nullptr);
    const auto data = open(Purpose::data, key_, session.get());
    EXPECT_TRUE(data->is_resumed());
    EXPECT_TRUE(data->is_bound());
    EXPECT_EQ(SSL_session_reused(data->client.ssl()), 1);
    data->client.write("file");
    IoStep last;
    EXPECT_EQ(read_all_there(data->server, last), "file");
}

TEST_P(Resumption, DataWithoutASessionIsAFullHandshakeAndNotBound)
{
    const auto control = open(Purpose::control, key_);
    const auto data = open(Purpose::data, key_);
    EXPECT_FALSE(data->is_resumed());
    EXPECT_FALSE(data->is_bound());
}

TEST_P(Resumption, AnotherFtpSessionsDataIsAFullHandshake)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    const auto data = open(Purpose::data, other_key_, session.get());
    EXPECT_FALSE(data->is_resumed());
    EXPECT_FALSE(data->is_bound());
}

TEST_P(Resumption, AnUnboundDataConnectionLeavesNothingToResume)
{
    const auto control = open(Purpose::control, key_);
    take();
    // A stranger's first connection must not be the key for his second one.
    const auto first = open(Purpose::data, key_);
    const Session session = take();
    const auto second = open(Purpose::data, key_, session.get());
    EXPECT_FALSE(second->is_resumed());
    EXPECT_FALSE(second->is_bound());
}

TEST_P(Resumption, DataConnectionsGetNoTickets)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    const auto data = open(Purpose::data, key_, session.get());
    ASSERT_TRUE(data->is_bound());
    data->server.issue_ticket();
    EXPECT_EQ(write_text(data->server, "x").kind, Kind::done);
    EXPECT_EQ(data->client.read(), "x");
    EXPECT_EQ(take(), nullptr);
}

TEST_P(Resumption, TwoHundredTransfersInOneSession)
{
    const auto control = open(Purpose::control, key_);
    Session first = take();
    for (int transfer = 0; transfer < 200; ++transfer) {
        const Session session = next_session(*control, first);
        ASSERT_NE(session, nullptr) << transfer;
        const auto data = open(Purpose::data, key_, session.get());
        ASSERT_TRUE(data->is_bound()) << transfer;
    }
}

TEST_P(Resumption, AnAbortedTransferDoesNotCostTheNextItsSession)
{
    const auto control = open(Purpose::control, key_);
    Session first = take();
    for (int transfer = 0; transfer < 3; ++transfer) {
        const Session session = next_session(*control, first);
        const auto data = open(Purpose::data, key_, session.get());
        EXPECT_TRUE(data->is_bound()) << transfer;
        data->client.close();
        IoStep last;
        read_to_the_end(data->server, last);
        EXPECT_EQ(last.error.code, ErrorCode::tls_truncated);
    }
}

/// The client's own idea of a session's age must not stand in the way: a client that still offers it is what is tested.
void make_young_for_the_client(const Session& session) { make_young(session.get()); }

TEST_P(Resumption, AgeDoesNotMatterWhileTheFtpSessionLives)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    clock_offset = std::chrono::seconds(hours(20)).count(); // ten ticket lifetimes
    make_young_for_the_client(session);
    const auto data = open(Purpose::data, key_, session.get());
    EXPECT_TRUE(data->is_bound());
}

TEST_P(Resumption, ALoginResumesNothing)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    for (const TicketKey* key : {&key_, &other_key_}) {
        const auto again = open(Purpose::control, *key, session.get());
        EXPECT_FALSE(again->is_resumed());
        EXPECT_FALSE(again->is_bound());
    }
}

TEST_P(Resumption, NothingIsResumedWithoutAKey)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    ASSERT_TRUE(server.start_tls(*context_, Purpose::data, nullptr));
    Client client(client_context_.get(), std::move(pair.client));
    client.offer(session.get());
    EXPECT_EQ(connect(server, client).kind, Kind::done);
    EXPECT_FALSE(server.handshake_info().is_resumed);
}

TEST_P(Resumption, TheOldTicketDoesNotBindToTheNewSession)
{
    const Session old = (open(Purpose::control, key_), take());
    open(Purpose::control, other_key_);
    const auto data = open(Purpose::data, other_key_, old.get());
    EXPECT_FALSE(data->is_resumed());
    EXPECT_FALSE(data->is_bound());
}

TEST_P(SessionIdResumption, ASessionIdIsNoUseForAnotherLogin)
{
    const auto first = open(Purpose::control, key_);
    const Session session = take();
    const auto second = open(Purpose::control, other_key_, session.get());
    EXPECT_FALSE(second->is_resumed());
    EXPECT_TRUE(open(Purpose::data, key_, session.get())->is_bound()) << "and the first one keeps it";
}

TEST_P(SessionIdResumption, ASessionIdEndsWithItsFtpSession)
{
    const Session session = (open(Purpose::control, key_), take());
    EXPECT_FALSE(open(Purpose::data, key_, session.get())->is_resumed());
}

TEST_P(Resumption, DataIsBoundAfterCccToo)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    EXPECT_EQ(control->server.try_close_notify().kind, Kind::done);
    control->server.end_tls();
    EXPECT_TRUE(open(Purpose::data, key_, session.get())->is_bound());
}

TEST_P(Resumption, ATicketOfOneNameIsNotAcceptedForAnother)
{
    for (const Purpose purpose : {Purpose::control, Purpose::data}) {
        const auto control = open(Purpose::control, key_, nullptr, "a.example.com");
        const Session session = take();
        SSL_SESSION_set1_hostname(session.get(), "b.example.com"); // else OpenSSL's client does not even offer it
        const auto other = open(purpose, key_, session.get(), "b.example.com");
        EXPECT_FALSE(other->is_resumed());
        EXPECT_FALSE(other->is_bound());
    }
}

TEST_P(Resumption, TheSameNameResumes)
{
    const auto control = open(Purpose::control, key_, nullptr, "b.example.com");
    Session first = take();
    const Session session = next_session(*control, first);
    EXPECT_TRUE(open(Purpose::data, key_, session.get(), "b.example.com")->is_bound());
}

TEST_P(Resumption, DataThatNamesNoHostMeansItsControlConnections)
{
    const auto control = open(Purpose::control, key_, nullptr, "b.example.com");
    const Session session = take();
    SSL_SESSION_set1_hostname(session.get(), nullptr);
    EXPECT_TRUE(open(Purpose::data, key_, session.get())->is_bound());
}

TEST_P(Resumption, AContextWithOtherCertificatesTakesNothing)
{
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    Certificate third{.common_name = "third", .dns_names = {"a.example.com"}};
    options_.certificates = {third.make().save(directory_, "3")};
    const ServerContext other = ServerContext::make(options_).value();
    const Connection data(other, client_context_.get(), Purpose::data, key_, session.get());
    EXPECT_FALSE(data.is_resumed());
}

/// Whether this handshake had a key exchange of its own, as the client knows it (TLS 1.3).
bool had_key_exchange(Client& client)
{
    EVP_PKEY* servers = nullptr;
    const bool has = SSL_get_peer_tmp_key(client.ssl(), &servers) == 1;
    EVP_PKEY_free(servers);
    return has;
}

TEST_P(Tls13Resumption, DataOfAClientThatOffersPskKeNeedNoKeyExchange)
{
    SSL_CTX_set_options(client_context_.get(), SSL_OP_ALLOW_NO_DHE_KEX);
    for (const DataKeyExchange rule : {DataKeyExchange::session, DataKeyExchange::each}) {
        options_.data_key_exchange = rule;
        context_ = std::make_unique<ServerContext>(ServerContext::make(options_).value());
        const auto control = open(Purpose::control, key_);
        EXPECT_TRUE(had_key_exchange(control->client));
        const Session session = take();
        const auto data = open(Purpose::data, key_, session.get());
        EXPECT_TRUE(data->is_bound());
        EXPECT_EQ(had_key_exchange(data->client), rule == DataKeyExchange::each);
        data->client.write("file");
        IoStep last;
        EXPECT_EQ(read_all_there(data->server, last), "file");
    }
}

TEST_P(Tls13Resumption, AFullHandshakeOfSuchAClientHasOne)
{
    SSL_CTX_set_options(client_context_.get(), SSL_OP_ALLOW_NO_DHE_KEX);
    const auto control = open(Purpose::control, key_, nullptr, "a.example.com");
    const Session session = take();
    SSL_SESSION_set1_hostname(session.get(), "b.example.com"); // so that the ticket is opened, and then refused
    for (const TicketKey* key : {&key_, &other_key_}) {
        const auto data = open(Purpose::data, *key, session.get(), "b.example.com");
        EXPECT_FALSE(data->is_resumed());
        EXPECT_TRUE(had_key_exchange(data->client));
    }
}

TEST_P(Tls13Resumption, IssuedTicketsAreDifferentAndEachWorks)
{
    const auto control = open(Purpose::control, key_);
    Session none;
    const Session first = next_session(*control, none);
    const Session second = next_session(*control, none);
    ASSERT_NE(first, nullptr);
    ASSERT_NE(second, nullptr);
    EXPECT_TRUE(open(Purpose::data, key_, second.get())->is_bound());
    EXPECT_TRUE(open(Purpose::data, key_, first.get())->is_bound());
    EXPECT_EQ(SSL_SESSION_is_resumable(first.get()), 0) << "the client takes a ticket for used up";
    EXPECT_FALSE(open(Purpose::data, key_, first.get())->is_resumed());
}

TEST_P(Resumption, IssueTicketDoesNothingElsewhere)
{
    SocketPair pair = local_pair();
    Stream fresh(std::move(pair.server));
    fresh.issue_ticket();
    ASSERT_TRUE(fresh.start_tls(*context_, Purpose::control, &key_));
    fresh.issue_ticket();
    EXPECT_EQ(fresh.try_handshake().kind, Kind::want_read);
}

TEST_P(Resumption, AClientCertificateIsStillReportedAfterResumption)
{
    Certificate authority{.common_name = "client CA", .is_authority = true};
    authority.make();
    Certificate joe{.common_name = "joe", .issuer = &authority};
    joe.make();
    options_.client_certificate = ClientCertificate::require;
    options_.client_ca = authority.save(directory_, "ca").certificate;
    context_ = std::make_unique<ServerContext>(ServerContext::make(options_).value());
    SSL_CTX_use_certificate(client_context_.get(), joe.x509.get());
    SSL_CTX_use_PrivateKey(client_context_.get(), joe.key.get());
    const auto control = open(Purpose::control, key_);
    const Session session = take();
    const auto data = open(Purpose::data, key_, session.get());
    EXPECT_TRUE(data->is_bound());
    EXPECT_EQ(data->server.handshake_info().client_certificate, "CN=joe");
    EXPECT_EQ(data->server.handshake_info().client_fingerprint, control->server.handshake_info().client_fingerprint);
}

TEST_P(Resumption, AnotherClientCaTakesAFullHandshake)
{
    Certificate authority{.common_name = "client CA", .is_authority = true};
    authority.make();
    Certificate other{.common_name = "other CA", .is_authority = true};
    other.make();
    Certificate joe{.common_name = "joe", .issuer = &authority};
    joe.make();
    SSL_CTX_use_certificate(client_context_.get(), joe.x509.get());
    SSL_CTX_use_PrivateKey(client_context_.get(), joe.key.get());
    options_.client_certificate = ClientCertificate::require;
    options_.client_ca = authority.save(directory_, "ca").certificate;
    context_ = std::make_unique<ServerContext>(ServerContext::make(options_).value());
    const Session session = (open(Purpose::control, key_), take());
    options_.client_ca = other.save(directory_, "other").certificate;
    const ServerContext changed = ServerContext::make(options_).value();
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    ASSERT_TRUE(server.start_tls(changed, Purpose::control, &key_));
    Client client(client_context_.get(), std::move(pair.client));
    client.offer(session.get());
    EXPECT_EQ(connect(server, client).error.code, ErrorCode::tls_handshake) << "joe is not of the other CA";
}

} // namespace
} // namespace safetp::tls::test
