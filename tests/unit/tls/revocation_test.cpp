#include "tls/client_context.h"
#include "tls/support.h"

#include <fstream>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <optional>
#include <sstream>

namespace safetp::tls::test {
namespace {

using Kind = IoStep::Kind;

class Revocation : public testing::Test {
protected:
    Revocation()
    {
        server_.make();
        authority_.make();
        good_.make();
        bad_.make();
    }
    ~Revocation() override { clock_offset = 0; }

    /// A list of this authority in PEM, which says that `revoked` is (null: nobody) and is good for an hour.
    static std::string make_list(const Certificate& authority, const Certificate* revoked)
    {
        const std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>> list(X509_CRL_new());
        const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> begin(X509_gmtime_adj(nullptr, -60));
        const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> end(X509_gmtime_adj(nullptr, 3600));
        X509_CRL_set_version(list.get(), 1);
        X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority.x509.get()));
        X509_CRL_set1_lastUpdate(list.get(), begin.get());
        X509_CRL_set1_nextUpdate(list.get(), end.get());
        if (revoked != nullptr) {
            X509_REVOKED* const entry = X509_REVOKED_new();
            X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509.get()));
            X509_REVOKED_set_revocationDate(entry, begin.get());
            X509_CRL_add0_revoked(list.get(), entry);
        }
        X509_CRL_sign(list.get(), authority.key.get(), EVP_sha256());
        const BioPtr out(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509_CRL(out.get(), list.get());
        char* bytes = nullptr;
        const long size = BIO_get_mem_data(out.get(), &bytes);
        return {bytes, static_cast<std::size_t>(size)};
    }

    std::string write(const std::string& name, const std::string& text)
    {
        std::ofstream(directory_.path(name)) << text;
        return directory_.path(name);
    }
    static std::string read(const std::string& path)
    {
        std::ostringstream all;
        all << std::ifstream(path).rdbuf();
        return all.str();
    }

    ContextOptions options()
    {
        return {.certificates = {server_.save(directory_, "server")},
            .client_certificate = ClientCertificate::require,
            .client_ca = authority_.save(directory_, "ca").certificate};
    }

    ServerContext context(const ContextOptions& options)
    {
        auto made = ServerContext::make(options);
        EXPECT_TRUE(made) << describe(made.error());
        return std::move(*made);
    }

    static tls::test::ClientContext client_with(const Certificate& certificate, int version)
    {
        auto client = client_context(version);
        SSL_CTX_use_certificate(client.get(), certificate.x509.get());
        SSL_CTX_use_PrivateKey(client.get(), certificate.key.get());
        return client;
    }

    static IoStep meet(const ServerContext& context, SSL_CTX* client_context, SSL_SESSION* session = nullptr)
    {
        const TicketKey key;
        SocketPair pair = local_pair();
        Stream server(std::move(pair.server));
        EXPECT_TRUE(server.start_tls(context, Purpose::control, &key));
        Client client(client_context, std::move(pair.client));
        if (session != nullptr)
            client.offer(session);
        return connect(server, client);
    }

    void expect_only_the_bad_one_is_refused(const ContextOptions& options)
    {
        const ServerContext server = context(options);
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            EXPECT_EQ(meet(server, client_with(good_, version).get()).kind, Kind::done);
            const IoStep refused = meet(server, client_with(bad_, version).get());
            EXPECT_EQ(refused.error.code, ErrorCode::tls_handshake);
            EXPECT_NE(refused.error.context.find("certificate revoked"), std::string::npos) << refused.error.context;
        }
    }

    TemporaryDirectory directory_;
    Certificate server_;
    Certificate authority_{.common_name = "client CA", .is_authority = true};
    Certificate good_{.common_name = "joe", .issuer = &authority_};
    Certificate bad_{.common_name = "mallory", .issuer = &authority_};
};

TEST_F(Revocation, AListAmongTheAuthoritiesCounts)
{
    ContextOptions with_list = options();
    with_list.client_ca = write("ca-and-list.pem", read(with_list.client_ca) + make_list(authority_, &bad_));
    expect_only_the_bad_one_is_refused(with_list);
}

TEST_F(Revocation, AListInAFileOfItsOwnCounts)
{
    ContextOptions with_list = options();
    with_list.client_crl = write("list.pem", make_list(authority_, &bad_));
    expect_only_the_bad_one_is_refused(with_list);
    const ServerContext without = context(options());
    EXPECT_EQ(meet(without, client_with(bad_, TLS1_3_VERSION).get()).kind, Kind::done);
}

TEST_F(Revocation, AListThatIsOutOfDateRefusesAllAlsoWhereASessionIsOffered)
{
    ContextOptions with_list = options();
    with_list.client_crl = write("list.pem", make_list(authority_, &bad_));
    const ServerContext server = context(with_list);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto client = client_with(good_, version);
        ASSERT_EQ(meet(server, client.get()).kind, Kind::done);
        const Session session = take_session(client.get());
        ASSERT_NE(session, nullptr);
        clock_offset = 3700;
        for (SSL_SESSION* const offered : {static_cast<SSL_SESSION*>(nullptr), session.get()}) {
            const IoStep refused = meet(server, client.get(), offered);
            EXPECT_EQ(refused.kind, Kind::failed);
            EXPECT_NE(refused.error.context.find("out of date"), std::string::npos) << refused.error.context;
        }
        clock_offset = 0;
    }
}

TEST_F(Revocation, AnAuthorityWithoutAListRefusesWhereOthersHaveOne)
{
    Certificate other{.common_name = "other CA", .is_authority = true};
    ContextOptions two = options();
    two.client_ca = write("two.pem", read(two.client_ca) + read(other.make().save(directory_, "other").certificate));
    two.client_crl = write("list.pem", make_list(other, nullptr));
    EXPECT_EQ(meet(context(two), client_with(good_, TLS1_3_VERSION).get()).kind, Kind::failed);
    const auto doubts = doubts_about_revocation(two.client_ca, two.client_crl);
    ASSERT_EQ(doubts.size(), 1u);
    EXPECT_NE(doubts[0].find("no revocation list of CN=client CA"), std::string::npos) << doubts[0];
}

TEST_F(Revocation, OfAnothersNameIsNoList)
{
    Certificate impostor{.common_name = "client CA", .is_authority = true};
    ContextOptions with_list = options();
    with_list.client_crl = write("list.pem", make_list(impostor.make(), nullptr));
    EXPECT_EQ(meet(context(with_list), client_with(good_, TLS1_3_VERSION).get()).kind, Kind::failed);
}

TEST_F(Revocation, DoubtsAreSaidBeforehand)
{
    ContextOptions with_list = options();
    EXPECT_TRUE(doubts_about_revocation(with_list.client_ca, "").empty());
    with_list.client_crl = write("list.pem", make_list(authority_, &bad_));
    EXPECT_TRUE(doubts_about_revocation(with_list.client_ca, with_list.client_crl).empty());
    clock_offset = 3700;
    const auto doubts = doubts_about_revocation(with_list.client_ca, with_list.client_crl);
    ASSERT_EQ(doubts.size(), 1u);
    EXPECT_NE(doubts[0].find("CN=client CA is out of date"), std::string::npos) << doubts[0];
}

TEST_F(Revocation, FilesWithoutAListAreRefused)
{
    const std::vector<std::string> texts{"", "rubbish\n", read(authority_.save(directory_, "ca").certificate),
        "-----BEGIN X509 CRL-----\nrubbish\n-----END X509 CRL-----\n"};
    for (const std::string& text : texts) {
        ContextOptions wrong = options();
        wrong.client_crl = write("list.pem", text);
        const auto made = ServerContext::make(wrong);
        ASSERT_FALSE(made) << text;
        EXPECT_NE(made.error().context.find("list.pem"), std::string::npos) << made.error().context;
    }
    ContextOptions missing = options();
    missing.client_crl = directory_.path("none.pem");
    EXPECT_FALSE(ServerContext::make(missing));
}

/// safetp's side: a server whose certificate is revoked is not vouched for.
TEST_F(Revocation, ServersAreLookedUpToo)
{
    Certificate revoked{.common_name = "localhost", .issuer = &authority_};
    const ServerContext server = context({.certificates = {revoked.make().save(directory_, "revoked")}});
    const std::string ca = read(authority_.save(directory_, "ca").certificate);
    for (const bool has_list : {false, true}) {
        const std::string file = write("authorities.pem", has_list ? ca + make_list(authority_, &revoked) : ca);
        const auto client = tls::ClientContext::make({.authorities = file});
        ASSERT_TRUE(client) << describe(client.error());
        std::optional<PeerCertificate> seen;
        ClientSession session(*client, {.host = "localhost", .judge = [&](const PeerCertificate& peer) {
            seen = peer;
            return true;
        }});
        SocketPair pair = local_pair();
        Stream servers_end(std::move(pair.server));
        Stream clients_end(std::move(pair.client));
        ASSERT_TRUE(servers_end.start_tls(server, Purpose::control, nullptr));
        ASSERT_TRUE(clients_end.start_tls(session, Purpose::control));
        for (int turn = 0; turn < 10; ++turn) {
            (void)clients_end.try_handshake();
            (void)servers_end.try_handshake();
        }
        ASSERT_TRUE(seen);
        EXPECT_EQ(seen->is_vouched, !has_list);
        EXPECT_EQ(seen->why_not, has_list ? "its authority has revoked its certificate" : "");
    }
}

} // namespace
} // namespace safetp::tls::test
