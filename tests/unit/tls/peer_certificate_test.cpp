#include "tls/peer_certificate.h"

#include "tls/context.h"
#include "tls/support.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <optional>

namespace safetp::tls::test {
namespace {

struct Examined {
    std::optional<PeerCertificate> seen;
    std::string server_pin; ///< as the server says it: "sha256//BASE64="
    bool is_connected = false;
    PeerEnd end{};
};

/// A server with `certificate` and, if there is one, the authority that the client trusts; it closes in order unless told not
/// to.
Examined examine(const Certificate& certificate, const std::string& host, bool is_accepted = true,
    const Certificate* authority = nullptr, bool closes_in_order = true)
{
    const TemporaryDirectory directory;
    const auto context = ServerContext::make({.certificates = {certificate.save(directory, "server")}});
    ::setenv("SSL_CERT_FILE", authority != nullptr ? authority->save(directory, "ca").certificate.c_str() : "/dev/null", 1);
    Examined result{.seen = std::nullopt, .server_pin = context->public_key_pin()};
    const PeerJudge judge{.host = host, .judge = [&](const PeerCertificate& peer) {
                              result.seen = peer;
                              return is_accepted;
                          }};
    const ClientContext client_context = test::client_context();
    EXPECT_TRUE(put_peers_before(judge, {}, result.end, client_context.get()));
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    Client client(client_context.get(), std::move(pair.client));
    EXPECT_TRUE(server.start_tls(*context, Purpose::control, nullptr));
    result.is_connected = connect(server, client).kind == IoStep::Kind::done && client.failure().empty();
    if (closes_in_order && result.is_connected) {
        EXPECT_EQ(server.try_close_notify().kind, IoStep::Kind::done);
    }
    server.close();
    client.read();
    ::unsetenv("SSL_CERT_FILE");
    return result;
}

TEST(PeerCertificate, HasTheFactsOfASelfSignedOne)
{
    Certificate certificate{.common_name = "ftp.example.com", .dns_names = {"FTP.example.com", "*.example.org"}};
    const Examined result = examine(certificate.make(), "ftp.example.com");
    ASSERT_TRUE(result.seen);
    EXPECT_TRUE(result.is_connected);
    EXPECT_EQ("sha256//" + result.seen->key_fingerprint.substr(7) + "=", result.server_pin);
    EXPECT_TRUE(result.seen->key_fingerprint.starts_with("SHA256:"));
    EXPECT_EQ(result.seen->key_type, "ECDSA");
    EXPECT_EQ(result.seen->key_bits, 256);
    EXPECT_EQ(result.seen->subject, "CN=ftp.example.com");
    EXPECT_EQ(result.seen->names, (std::vector<std::string>{"*.example.org", "ftp.example.com"}));
    EXPECT_LT(result.seen->not_before, result.seen->not_after);
    EXPECT_FALSE(result.seen->is_vouched);
    EXPECT_TRUE(result.seen->is_name_right);
    EXPECT_EQ(result.seen->why_not, "the server has made its certificate itself");
}

TEST(PeerCertificate, IsVouchedForByATrustedAuthorityOnly)
{
    Certificate authority{.common_name = "Authority", .is_authority = true};
    authority.make();
    Certificate certificate{.common_name = "ftp.example.com", .dns_names = {"ftp.example.com"}, .issuer = &authority};
    certificate.make();
    const Examined trusted = examine(certificate, "ftp.example.com", true, &authority);
    EXPECT_TRUE(trusted.seen->is_vouched) << trusted.seen->why_not;
    EXPECT_TRUE(trusted.seen->why_not.empty());
    const Examined unknown = examine(certificate, "ftp.example.com");
    EXPECT_FALSE(unknown.seen->is_vouched);
    EXPECT_EQ(unknown.seen->why_not, "its certificate is signed by nobody whom this system knows (CN=Authority)");
    const Examined elsewhere = examine(certificate, "www.example.com", true, &authority);
    EXPECT_TRUE(elsewhere.seen->is_vouched);
    EXPECT_FALSE(elsewhere.seen->is_name_right);
    EXPECT_EQ(elsewhere.seen->why_not, "its certificate is for ftp.example.com and not for www.example.com");
}

TEST(PeerCertificate, NamesMatchAsRfc6125Says)
{
    Certificate certificate{.common_name = "x", .dns_names = {"ftp.example.com", "*.example.org"}};
    certificate.make();
    for (const char* host : {"ftp.example.com", "FTP.EXAMPLE.COM", "a.example.org"})
        EXPECT_TRUE(examine(certificate, host).seen->is_name_right) << host;
    for (const char* host : {"example.com", "ftp.example.com.evil", "example.org", "a.b.example.org", "x", "192.0.2.1"})
        EXPECT_FALSE(examine(certificate, host).seen->is_name_right) << host;
}

TEST(PeerCertificate, ExpiryIsSaidWithItsDay)
{
    Certificate authority{.common_name = "Authority", .is_authority = true};
    authority.make();
    Certificate certificate{.common_name = "h", .dns_names = {"h"}, .issuer = &authority, .valid_seconds = -3600};
    const Examined result = examine(certificate.make(), "h", true, &authority);
    ASSERT_TRUE(result.seen);
    EXPECT_FALSE(result.seen->is_vouched);
    EXPECT_TRUE(result.seen->why_not.starts_with("its certificate has expired on 20")) << result.seen->why_not;
}

TEST(PeerCertificate, TheJudgeHasTheLastWord)
{
    Certificate authority{.common_name = "Authority", .is_authority = true};
    authority.make();
    Certificate certificate{.common_name = "h", .dns_names = {"h"}, .issuer = &authority};
    certificate.make();
    EXPECT_FALSE(examine(certificate, "h", false, &authority).is_connected) << "vouched for, but refused";
    EXPECT_TRUE(examine(certificate, "other", true).is_connected) << "for another and by nobody, but accepted";
}

TEST(PeerCertificate, SeesWhetherTheEndCameInOrder)
{
    Certificate certificate;
    certificate.make();
    EXPECT_TRUE(examine(certificate, "localhost", true, nullptr, true).end.has_close_notify);
    EXPECT_FALSE(examine(certificate, "localhost", true, nullptr, false).end.has_close_notify);
}

} // namespace
} // namespace safetp::tls::test
