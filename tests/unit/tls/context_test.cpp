#include "tls/support.h"

#include <fstream>
#include <gtest/gtest.h>
#include <openssl/pem.h>

namespace safetp::tls::test {
namespace {

class Context : public testing::Test {
protected:
    Context() { certificate_.make(); }

    ContextOptions options() { return {.certificates = {certificate_.save(directory_, "server")}}; }

    /// Expects that make refuses `options` with a text that holds `words`.
    static void expect_refused(const ContextOptions& options, const std::string& words)
    {
        const auto context = ServerContext::make(options);
        ASSERT_FALSE(context) << words;
        EXPECT_EQ(context.error().code, ErrorCode::tls_setup);
        EXPECT_NE(context.error().context.find(words), std::string::npos) << context.error().context;
        EXPECT_EQ(context.error().context.find('\n'), std::string::npos);
    }

    TemporaryDirectory directory_;
    Certificate certificate_;
};

TEST_F(Context, FingerprintAndPinAreThoseOfTheDefaultCertificate)
{
    const CertificateFiles files = options().certificates.front();
    const ServerContext context = ServerContext::make(options()).value();
    EXPECT_EQ(context.certificate_fingerprint(), inspect_certificate(files)->fingerprint);
    EXPECT_EQ(context.certificate_fingerprint().size(), 95u);
    EXPECT_EQ(context.public_key_pin().substr(0, 8), "sha256//");
    EXPECT_EQ(context.public_key_pin().size(), 8u + 44u);
    Certificate renewed = certificate_; // the same key in another certificate: the pin stays
    const std::shared_ptr<EVP_PKEY> key = certificate_.key;
    renewed.make();
    X509_set_pubkey(renewed.x509.get(), key.get());
    renewed.key = key;
    X509_sign(renewed.x509.get(), key.get(), EVP_sha256());
    const ServerContext second = ServerContext::make({.certificates = {renewed.save(directory_, "renewed")}}).value();
    EXPECT_NE(second.certificate_fingerprint(), context.certificate_fingerprint());
    EXPECT_EQ(second.public_key_pin(), context.public_key_pin());
}

TEST_F(Context, MovesKeepStreamsGoing)
{
    ServerContext first = ServerContext::make(options()).value();
    const ServerContext context = std::move(first);
    const ClientContext client_context = test::client_context();
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    ASSERT_TRUE(server.start_tls(context, Purpose::control, nullptr));
    Stream moved = std::move(server);
    Client client(client_context.get(), std::move(pair.client));
    EXPECT_EQ(connect(moved, client).kind, IoStep::Kind::done);
}

TEST_F(Context, WithoutACertificateThereIsNone) { expect_refused({}, "no certificate"); }

TEST_F(Context, FilesThatAreNotThereOrHoldRubbishAreNamed)
{
    const std::string rubbish = directory_.path("rubbish.pem");
    std::ofstream(rubbish) << "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n";
    expect_refused({.certificates = {{.certificate = directory_.path("none.pem")}}}, "none.pem: No such file or directory");
    expect_refused({.certificates = {{.certificate = rubbish}}}, "rubbish.pem");
    ContextOptions without_key = options();
    without_key.certificates.front().key = directory_.path("nokey.pem");
    expect_refused(without_key, "nokey.pem: No such file or directory");
    std::ofstream(directory_.path("nokey.pem")) << "no key here\n";
    expect_refused(without_key, "nokey.pem: no private key");
}

TEST_F(Context, AnothersKeyIsRefused)
{
    Certificate other;
    ContextOptions mixed = options();
    mixed.certificates.front().key = other.make().save(directory_, "other").certificate;
    expect_refused(mixed, "is not the key of");
}

TEST_F(Context, AnEncryptedKeyIsRefusedWithoutAsking)
{
    const std::string path = directory_.path("encrypted.pem");
    BIO* const file = BIO_new_file(path.c_str(), "w");
    std::string passphrase = "secret";
    PEM_write_bio_PrivateKey(file, certificate_.key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr, passphrase.data());
    BIO_free(file);
    ContextOptions encrypted = options();
    encrypted.certificates.front().key = path;
    expect_refused(encrypted, "encrypted.pem: the key is encrypted");
    std::string error = ServerContext::make(encrypted).error().context;
    EXPECT_EQ(error.find("interrupted"), std::string::npos) << error << ": OpenSSL's words say nothing to anybody";
    EXPECT_NE(error.find("openssl pkey"), std::string::npos) << error;
}

TEST_F(Context, WeakKeysAreRefusedAlsoBehindTheDefault)
{
    Certificate weak{.dns_names = {"weak.example.com"}, .is_rsa = true, .rsa_bits = 1024};
    ContextOptions with_weak = options();
    with_weak.certificates.push_back(weak.make().save(directory_, "weak"));
    expect_refused(with_weak, "weak.pem: ee key too small");
}

TEST_F(Context, WrongRulesAreRefused)
{
    ContextOptions wrong = options();
    wrong.minimum_version = "1.1";
    expect_refused(wrong, "\"1.1\"");
    wrong = options();
    wrong.ciphers = "NONSENSE";
    expect_refused(wrong, "NONSENSE");
    wrong = options();
    wrong.ciphers = "ECDHE+AESGCM:@SECLEVEL=0";
    expect_refused(wrong, "security level");
    wrong = options();
    wrong.ciphersuites = "TLS_NONSENSE";
    expect_refused(wrong, "TLS_NONSENSE");
    wrong = options();
    wrong.client_certificate = ClientCertificate::request;
    expect_refused(wrong, "no client CA");
    wrong.client_ca = directory_.path("none.pem");
    expect_refused(wrong, "none.pem");
}

TEST_F(Context, AnExpiredCertificateIsForTheCallerToReport)
{
    Certificate expired{.valid_seconds = -60};
    const CertificateFiles files = expired.make().save(directory_, "expired");
    EXPECT_TRUE(ServerContext::make({.certificates = {files}}));
    const auto summary = inspect_certificate(files);
    ASSERT_TRUE(summary);
    EXPECT_LT(summary->not_after, std::chrono::system_clock::now());
}

TEST_F(Context, InspectionTellsNames)
{
    Certificate named{.common_name = "cn", .dns_names = {"B.example.com", "*.a.example.com", "b.example.com"}};
    EXPECT_EQ(inspect_certificate(named.make().save(directory_, "named"))->names,
              (std::vector<std::string>{"*.a.example.com", "b.example.com"}));
    EXPECT_EQ(inspect_certificate(options().certificates.front())->names, std::vector<std::string>{"localhost"});
    EXPECT_FALSE(inspect_certificate({.certificate = directory_.path("none.pem")}));
}

} // namespace
} // namespace safetp::tls::test
