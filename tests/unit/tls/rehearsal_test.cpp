#include "tls/support.h"

#include <gtest/gtest.h>

namespace safetp::tls::test {
namespace {

class Rehearsal : public testing::Test {
protected:
    CertificateFiles make(Certificate certificate, const std::string& name)
    {
        return certificate.make().save(directory_, name);
    }

    /// Empty: everything works.
    static std::string complaint(const ContextOptions& options)
    {
        const auto rehearsed = rehearse(options);
        EXPECT_TRUE(rehearsed || rehearsed.error().code == ErrorCode::tls_setup);
        return rehearsed ? "" : rehearsed.error().context;
    }

    static void expect_words(const std::string& text, std::initializer_list<const char*> words)
    {
        for (const char* word : words)
            EXPECT_NE(text.find(word), std::string::npos) << word << " is not in: " << text;
    }

    TemporaryDirectory directory_;
};

TEST_F(Rehearsal, UsualSettingsWork)
{
    const CertificateFiles ecdsa = make({}, "ecdsa");
    const CertificateFiles rsa = make({.is_rsa = true}, "rsa");
    EXPECT_EQ(complaint({.certificates = {ecdsa}}), "");
    EXPECT_EQ(complaint({.certificates = {rsa}}), "");
    EXPECT_EQ(complaint({.certificates = {make({.curve = "P-384"}, "p384")}}), "");
    EXPECT_EQ(complaint({.certificates = {ecdsa}, .minimum_version = "1.3"}), "");
    EXPECT_EQ(complaint({.certificates = {rsa}, .ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"}), "");
    EXPECT_EQ(complaint({.certificates = {ecdsa}, .ciphersuites = "TLS_AES_256_GCM_SHA384"}), "");
}

TEST_F(Rehearsal, CiphersThatNoHandshakeCanUseAreRefused)
{
    const CertificateFiles ecdsa = make({}, "ecdsa");
    const std::string finite_field = complaint({.certificates = {ecdsa}, .ciphers = "DHE+AESGCM"});
    expect_words(finite_field, {"ciphers = \"DHE+AESGCM\"", "TLS 1.2", "ecdsa.pem", "ECDHE+AESGCM", "minimum_version"});
    const std::string other_key = complaint({.certificates = {ecdsa}, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
    expect_words(other_key, {"ECDHE-RSA-AES128-GCM-SHA256", "EC prime256v1"});
    EXPECT_EQ(complaint({.certificates = {ecdsa}, .minimum_version = "1.3", .ciphers = "DHE+AESGCM"}), "")
        << "ciphers are those of TLS 1.2, which is not spoken";
}

TEST_F(Rehearsal, OneOfTwoKeysForTheSameNamesIsEnough)
{
    const CertificateFiles ecdsa = make({}, "ecdsa");
    const CertificateFiles rsa = make({.is_rsa = true}, "rsa");
    EXPECT_EQ(complaint({.certificates = {ecdsa, rsa}, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}), "");
    const CertificateFiles other = make({.dns_names = {"other.example"}, .is_rsa = true}, "other");
    expect_words(complaint({.certificates = {ecdsa, other}, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}), {"other.pem", "RSA"});
}

TEST_F(Rehearsal, AKeyThatNoClientTakesIsRefused)
{
    const std::string strange = complaint({.certificates = {make({.curve = "secp256k1"}, "strange")}});
    expect_words(strange, {"strange.pem", "EC secp256k1", "no TLS client", "P-256"});
    const CertificateFiles good = make({}, "good");
    const CertificateFiles behind = make({.dns_names = {"behind.example"}, .curve = "secp256k1"}, "behind");
    expect_words(complaint({.certificates = {good, behind}}), {"behind.pem"});
}

TEST_F(Rehearsal, WhatIsWrongByItselfIsSaidAsEver)
{
    const CertificateFiles good = make({}, "good");
    expect_words(complaint({.certificates = {good}, .minimum_version = "1.1"}), {"\"1.1\""});
    expect_words(complaint({.certificates = {good}, .ciphers = "NONSENSE"}), {"NONSENSE"});
    expect_words(complaint({.certificates = {{.certificate = directory_.path("none.pem")}}}), {"none.pem", "No such file"});
}

} // namespace
} // namespace safetp::tls::test
