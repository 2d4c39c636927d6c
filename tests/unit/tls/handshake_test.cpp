#include "tls/support.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <sys/socket.h>

namespace safetp::tls::test {
namespace {

using Kind = IoStep::Kind;

class Handshake : public testing::Test {
protected:
    Handshake()
    {
        rsa_.is_rsa = true;
        ecdsa_.make();
        rsa_.make();
    }

    const ServerContext& make_context(ContextOptions options = {})
    {
        if (options.certificates.empty())
            options.certificates = {ecdsa_.save(directory_, "ecdsa"), rsa_.save(directory_, "rsa")};
        auto context = ServerContext::make(options);
        EXPECT_TRUE(context) << describe(context.error());
        return *contexts_.emplace_back(std::make_unique<ServerContext>(std::move(*context)));
    }

    /// One handshake; the client's side stays in client_.
    IoStep try_handshake(const ServerContext& context, SSL_CTX* client_context, const char* host_name = nullptr)
    {
        SocketPair pair = local_pair();
        server_ = std::make_unique<Stream>(std::move(pair.server));
        EXPECT_TRUE(server_->start_tls(context, Purpose::control, &key_));
        client_ = std::make_unique<Client>(client_context, std::move(pair.client));
        if (host_name != nullptr)
            client_->name(host_name);
        return connect(*server_, *client_);
    }

    std::string shown_common_name()
    {
        char name[100] = "";
        if (X509* const shown = SSL_get0_peer_certificate(client_->ssl()))
            X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof name);
        return name;
    }

    TicketKey key_;
    TemporaryDirectory directory_;
    Certificate ecdsa_;
    Certificate rsa_;
    std::vector<std::unique_ptr<ServerContext>> contexts_; // before server_, which they must outlive
    std::unique_ptr<Stream> server_;
    std::unique_ptr<Client> client_;
};

ClientContext old_client(int version, const char* ciphers)
{
    ClientContext context = client_context(version);
    SSL_CTX_set_security_level(context.get(), 0);
    EXPECT_EQ(SSL_CTX_set_cipher_list(context.get(), ciphers), 1) << ciphers;
    return context;
}

TEST_F(Handshake, OldVersionsAreRefused)
{
    const ServerContext& context = make_context();
    for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
        const ClientContext client = old_client(version, "ALL:@SECLEVEL=0");
        const IoStep step = try_handshake(context, client.get());
        ASSERT_EQ(step.kind, Kind::failed);
        EXPECT_EQ(step.error.code, ErrorCode::tls_handshake);
        EXPECT_NE(step.error.context.find("unsupported protocol"), std::string::npos) << step.error.context;
        EXPECT_EQ(client_->failure(), "tlsv1 alert protocol version");
    }
}

TEST_F(Handshake, MinimumVersionThirteenRefusesTwelve)
{
    const ServerContext& context = make_context({.minimum_version = "1.3"});
    EXPECT_EQ(try_handshake(context, client_context(TLS1_2_VERSION).get()).error.code, ErrorCode::tls_handshake);
    EXPECT_EQ(try_handshake(context, client_context(TLS1_3_VERSION).get()).kind, Kind::done);
}

TEST_F(Handshake, WeakCiphersAreRefused)
{
    const ServerContext& context = make_context();
    for (const char* ciphers : {"AES128-GCM-SHA256:AES256-SHA", "ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA", "aNULL",
                                "eNULL", "DHE-RSA-AES128-GCM-SHA256"}) {
        const ClientContext client = old_client(TLS1_2_VERSION, ciphers);
        const IoStep step = try_handshake(context, client.get());
        EXPECT_EQ(step.error.code, ErrorCode::tls_handshake) << ciphers;
        EXPECT_EQ(step.error.context, "no shared cipher") << ciphers;
    }
}

TEST_F(Handshake, TheKindOfKeyFollowsTheClient)
{
    const ServerContext& context = make_context();
    ASSERT_EQ(try_handshake(context, old_client(TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256").get()).kind, Kind::done);
    EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(client_->ssl()))), EVP_PKEY_RSA);
    ASSERT_EQ(try_handshake(context, old_client(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256").get()).kind, Kind::done);
    EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(client_->ssl()))), EVP_PKEY_EC);
}

TEST_F(Handshake, ChaChaGoesFirstOnlyIfTheClientPutsItFirst)
{
    const ServerContext& context = make_context();
    const ClientContext client = client_context(TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(client.get(), "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
    ASSERT_EQ(try_handshake(context, client.get()).kind, Kind::done);
    EXPECT_EQ(server_->handshake_info().cipher, "TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_ciphersuites(client.get(), "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
    ASSERT_EQ(try_handshake(context, client.get()).kind, Kind::done);
    EXPECT_EQ(server_->handshake_info().cipher, "TLS_AES_128_GCM_SHA256");
}

TEST_F(Handshake, PlainTextIsNoHandshake)
{
    const ServerContext& context = make_context();
    for (const std::string text : {"USER anonymous\r\n", "GET / HTTP/1.0\r\n\r\n", "226 Transfer complete\r\n"}) {
        SocketPair pair = local_pair();
        Stream server(std::move(pair.server));
        ASSERT_TRUE(server.start_tls(context, Purpose::data, nullptr));
        ASSERT_GT(::send(pair.client.get(), text.data(), text.size(), 0), 0);
        const IoStep step = server.try_handshake();
        ASSERT_EQ(step.kind, Kind::failed);
        EXPECT_EQ(step.error.code, ErrorCode::tls_handshake);
        EXPECT_NE(step.error.context.find("(the client sent plain text)"), std::string::npos) << step.error.context;
        EXPECT_EQ(server.try_handshake().kind, Kind::failed) << "and for good";
        EXPECT_EQ(write_text(server, "x").kind, Kind::failed) << "nothing goes out in clear";
    }
}

TEST_F(Handshake, AClientThatLeavesIsNoHandshake)
{
    const ServerContext& context = make_context();
    for (const std::string text : {"", "\x16", "\x16\x03\x01\x02"}) {
        SocketPair pair = local_pair();
        Stream server(std::move(pair.server));
        ASSERT_TRUE(server.start_tls(context, Purpose::data, nullptr));
        EXPECT_EQ(server.try_handshake().kind, Kind::want_read);
        ASSERT_EQ(::send(pair.client.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        pair.client.reset();
        const IoStep step = server.try_handshake();
        EXPECT_EQ(step.error.code, ErrorCode::tls_handshake);
        EXPECT_EQ(step.error.context, "the client closed the connection");
    }
}

TEST_F(Handshake, AlpnIsFtpOrNothing)
{
    struct Case {
        std::string offered; // each with its length before it
        bool is_accepted;
    };
    const std::vector<Case> cases = {
        {"", true}, {"\x03" "ftp", true}, {"\x02" "h2\x03" "ftp", true}, {"\x08" "http/1.1", false},
        {"\x02" "h2\x08" "http/1.1", false}, {"\x04" "ftps", false}, {"\x03" "FTP", false}, {"\x02" "ft", false},
    };
    const ServerContext& context = make_context();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const Case& alpn : cases) {
            const ClientContext client = client_context(version);
            const auto* const bytes = static_cast<const unsigned char*>(static_cast<const void*>(alpn.offered.data()));
            ASSERT_EQ(SSL_CTX_set_alpn_protos(client.get(), bytes, static_cast<unsigned>(alpn.offered.size())), 0);
            const IoStep step = try_handshake(context, client.get());
            ASSERT_EQ(step.kind == Kind::done, alpn.is_accepted) << alpn.offered;
            const unsigned char* chosen = nullptr;
            unsigned size = 0;
            SSL_get0_alpn_selected(client_->ssl(), &chosen, &size);
            EXPECT_EQ(size, alpn.is_accepted && !alpn.offered.empty() ? 3u : 0u);
            EXPECT_EQ(client_->failure(), alpn.is_accepted ? "" : "tlsv1 alert no application protocol");
        }
    }
}

class Names : public Handshake {
protected:
    ContextOptions three_certificates()
    {
        Certificate first{.common_name = "first", .dns_names = {"a.example.com", "shared.example.com"}};
        Certificate second{.common_name = "second", .dns_names = {"*.example.com", "b.example.org"}};
        Certificate third{.common_name = "third.example.net"}; // no subject alternative name
        ContextOptions options;
        options.certificates = {first.make().save(directory_, "1"), second.make().save(directory_, "2"),
                                third.make().save(directory_, "3")};
        return options;
    }
};

TEST_F(Names, TheNameChoosesTheCertificate)
{
    const std::vector<std::pair<const char*, std::string>> cases = {
        {nullptr, "first"},
        {"a.example.com", "first"},
        {"A.Example.COM", "first"},
        {"c.example.com", "second"},
        {"b.example.org", "second"},
        {"shared.example.com", "first"}, // the whole name wins over the wildcard
        {"third.example.net", "third.example.net"},
        {"x.c.example.com", "first"}, // two labels are no wildcard's: the default
        {"example.com", "first"},
        {"second", "first"}, // a common name does not count beside a subject alternative name
        {"unknown.invalid", "first"},
        {"127.0.0.1", "first"},
    };
    const ServerContext& context = make_context(three_certificates());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const ClientContext client = client_context(version);
        for (const auto& [name, expected] : cases) {
            ASSERT_EQ(try_handshake(context, client.get(), name).kind, Kind::done) << (name ? name : "no name");
            EXPECT_EQ(shown_common_name(), expected) << (name ? name : "no name");
            EXPECT_EQ(server_->handshake_info().server_name, name ? name : "");
        }
    }
}

TEST_F(Names, UnknownNamesCanBeRefused)
{
    ContextOptions options = three_certificates();
    options.refuse_unknown_names = true;
    const ServerContext& context = make_context(options);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const ClientContext client = client_context(version);
        for (const char* name : {"unknown.invalid", "example.com", "x.c.example.com", "example.com.a.example.comx"}) {
            const IoStep step = try_handshake(context, client.get(), name);
            EXPECT_EQ(step.error.code, ErrorCode::tls_handshake) << name;
            EXPECT_EQ(step.error.context, "no certificate bears the name \"" + std::string(name) + "\"");
            EXPECT_EQ(client_->failure(), "tlsv1 unrecognized name") << name;
        }
        for (const char* name : {"a.example.com", "c.example.com", "127.0.0.1", static_cast<const char*>(nullptr)})
            EXPECT_EQ(try_handshake(context, client.get(), name).kind, Kind::done) << (name ? name : "no name");
    }
}

TEST_F(Names, ADefaultCertificateOfAnotherKindDoesNotAnswerForAName)
{
    Certificate other{.common_name = "other", .dns_names = {"other.example.com"}};
    const ServerContext& context =
        make_context({.certificates = {rsa_.save(directory_, "rsa"), other.make().save(directory_, "other")}});
    const ClientContext rsa_only = old_client(TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256");
    EXPECT_EQ(try_handshake(context, rsa_only.get(), "other.example.com").error.context, "no shared cipher");
    EXPECT_EQ(try_handshake(context, rsa_only.get(), "localhost").kind, Kind::done);
}

class ClientCertificates : public Handshake {
protected:
    ClientCertificates()
    {
        authority_.make();
        client_certificate_.make();
        stranger_.make();
    }

    ContextOptions options(ClientCertificate rule)
    {
        ContextOptions options;
        options.certificates = {ecdsa_.save(directory_, "server")};
        options.client_certificate = rule;
        options.client_ca = authority_.save(directory_, "ca").certificate;
        return options;
    }

    static ClientContext client_with(const Certificate& certificate, int version)
    {
        ClientContext context = client_context(version);
        SSL_CTX_use_certificate(context.get(), certificate.x509.get());
        SSL_CTX_use_PrivateKey(context.get(), certificate.key.get());
        return context;
    }

    Certificate authority_{.common_name = "client CA", .is_authority = true};
    Certificate client_certificate_{.common_name = "joe", .issuer = &authority_};
    Certificate stranger_{.common_name = "joe"};
};

TEST_F(ClientCertificates, RulesAreKept)
{
    const ServerContext& off = make_context(options(ClientCertificate::off));
    const ServerContext& request = make_context(options(ClientCertificate::request));
    const ServerContext& require = make_context(options(ClientCertificate::require));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const ClientContext without = client_context(version);
        const ClientContext with = client_with(client_certificate_, version);
        const ClientContext wrong = client_with(stranger_, version);
        EXPECT_EQ(try_handshake(off, with.get()).kind, Kind::done);
        EXPECT_EQ(server_->handshake_info().client_fingerprint, "") << "never asked for";
        EXPECT_EQ(try_handshake(request, without.get()).kind, Kind::done);
        EXPECT_EQ(server_->handshake_info().client_certificate, "");
        EXPECT_EQ(try_handshake(request, wrong.get()).error.code, ErrorCode::tls_handshake);
        EXPECT_EQ(try_handshake(require, without.get()).error.code, ErrorCode::tls_handshake);
        EXPECT_EQ(try_handshake(require, wrong.get()).error.code, ErrorCode::tls_handshake);
        for (const ServerContext* context : {&request, &require}) {
            EXPECT_EQ(try_handshake(*context, with.get()).kind, Kind::done);
            EXPECT_EQ(server_->handshake_info().client_certificate, "CN=joe");
            EXPECT_EQ(server_->handshake_info().client_fingerprint.size(), 64u);
        }
    }
}

TEST_F(ClientCertificates, ExpiredOnesAreRefusedAlsoWhereASessionIsOffered)
{
    const ServerContext& context = make_context(options(ClientCertificate::require));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Certificate authority = authority_;
        Certificate short_lived{.common_name = "brief", .issuer = &authority, .valid_seconds = 3600};
        const ClientContext client = client_with(short_lived.make(), version);
        ASSERT_EQ(try_handshake(context, client.get()).kind, Kind::done);
        Session session = take_session(client.get());
        ASSERT_NE(session, nullptr);
        for (const bool is_expired : {false, true}) {
            clock_offset = is_expired ? 3700 : 0;
            SocketPair pair = local_pair();
            Stream server(std::move(pair.server));
            ASSERT_TRUE(server.start_tls(context, Purpose::control, &key_));
            Client again(client.get(), std::move(pair.client));
            again.offer(session.get());
            const IoStep step = connect(server, again);
            clock_offset = 0;
            EXPECT_EQ(step.kind, is_expired ? Kind::failed : Kind::done);
            EXPECT_FALSE(server.handshake_info().is_resumed);
            EXPECT_EQ(server.handshake_info().client_certificate, is_expired ? "" : "CN=brief");
            session = take_session(client.get());
        }
    }
}

} // namespace
} // namespace safetp::tls::test
