#include "tls/peer_certificate.h"

#include "base/zoned_address.h"
#include "tls/authorities.h"
#include "tls/certificate.h"
#include "tls/openssl_types.h"
#include "tls/verify.h"

#include <array>
#include <ctime>
#include <openssl/err.h>

namespace safetp::tls {

namespace {

std::chrono::system_clock::time_point to_time(const ASN1_TIME* time)
{
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return {}; // 1970: such a certificate is never valid
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string to_date(std::chrono::system_clock::time_point time)
{
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    std::array<char, 32> text{};
    ::gmtime_r(&seconds, &parts);
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts)};
}

std::string to_text(const X509_NAME* name)
{
    const BioPtr out(BIO_new(BIO_s_mem()));
    if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0)
        return {};
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

/// Of the SubjectPublicKeyInfo in DER, as curl's pins and RFC 7469 have it: it stays when a certificate is renewed for the key.
std::string key_fingerprint_of(X509* certificate)
{
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0)
        return {};
    const std::unique_ptr<unsigned char, FreeWith<[](unsigned char* p) { OPENSSL_free(p); }>> owner(der);
    std::array<unsigned char, 32> digest{};
    if (EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
        return {};
    std::array<unsigned char, 45> base64{}; // 44 and a NUL
    EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
    return "SHA256:" + std::string(base64.begin(), base64.begin() + 43); // without the padding
}

bool is_for_host(X509* certificate, const std::string& host)
{
    if (const auto address = ZonedAddress::parse(host)) // a certificate's addresses have no zones
        return X509_check_ip_asc(certificate, address->address.to_string().c_str(), 0) == 1;
    return X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1;
}

std::string listed(const std::vector<std::string>& names)
{
    constexpr std::size_t kShown = 3;
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < kShown; ++i)
        text += (i == 0 ? "" : ", ") + names[i];
    return text + (names.size() > kShown ? ", ..." : "");
}

std::string explain(int error, int depth, const PeerCertificate& certificate)
{
    const std::string whose = depth == 0 ? "its certificate" : "the certificate of an authority above it";
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return whose + " has expired" + (depth == 0 ? " on " + to_date(certificate.not_after) : "");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return whose + " is not valid yet" + (depth == 0 ? ", but from " + to_date(certificate.not_before) + " on" : "")
            + " (is the clock right?)";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "the server has made its certificate itself";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its certificate is signed by nobody whom this system knows (" + certificate.issuer + ")";
    case X509_V_ERR_CERT_REVOKED:
        return depth == 0 ? "its authority has revoked its certificate" : "an authority above it has been revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL: return "there is no revocation list of " + certificate.issuer + " among those of others";
    case X509_V_ERR_CRL_HAS_EXPIRED: return "the revocation list of " + certificate.issuer + " is out of date";
    default: return whose + " cannot be verified: " + X509_verify_cert_error_string(error);
    }
}

int ask_judge(X509_STORE_CTX* verification, void* judge)
{
    const auto& peer = *static_cast<const PeerJudge*>(judge);
    const bool is_accepted = peer.judge(examine_peer(verification, peer.host));
    X509_STORE_CTX_set_error(verification, is_accepted ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return is_accepted ? 1 : 0;
}

int end_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

void note_progress(const SSL* ssl, int where, int alert)
{
    auto& end = *static_cast<PeerEnd*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), end_index()));
    if ((where & SSL_CB_HANDSHAKE_START) != 0)
        end.ssl = const_cast<SSL*>(ssl); // the library's, which is const to us only in here
    const bool is_close_notify = (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (alert & 0xff) == SSL_AD_CLOSE_NOTIFY;
    end.has_close_notify = end.has_close_notify || is_close_notify;
}

} // namespace

PeerCertificate examine_peer(X509_STORE_CTX* verification, const std::string& host)
{
    X509* const x509 = X509_STORE_CTX_get0_cert(verification);
    EVP_PKEY* const key = X509_get0_pubkey(x509);
    const char* const key_type = key == nullptr ? nullptr : EVP_PKEY_get0_type_name(key);
    PeerCertificate peer{
        .key_fingerprint = key_fingerprint_of(x509),
        .key_type = key_type == nullptr     ? "unknown"
            : std::string(key_type) == "EC" ? "ECDSA"
                                            : key_type,
        .key_bits = key == nullptr ? 0 : EVP_PKEY_get_bits(key),
        .subject = to_text(X509_get_subject_name(x509)),
        .issuer = to_text(X509_get_issuer_name(x509)),
        .names = names_of(x509),
        .not_before = to_time(X509_get0_notBefore(x509)),
        .not_after = to_time(X509_get0_notAfter(x509)),
        .why_not = {},
    };
    peer.is_vouched = X509_verify_cert(verification) == 1;
    peer.is_name_right = is_for_host(x509, host);
    if (!peer.is_vouched)
        peer.why_not = explain(X509_STORE_CTX_get_error(verification), X509_STORE_CTX_get_error_depth(verification), peer);
    else if (!peer.is_name_right)
        peer.why_not
            = "its certificate is for " + (peer.names.empty() ? "no host name" : listed(peer.names)) + " and not for " + host;
    ERR_clear_error(); // what made the authorities say no is in `peer` now; the handshake must not trip over it
    return peer;
}

void allow_end(const PeerEnd& end)
{
    if (end.ssl != nullptr)
        SSL_set_quiet_shutdown(static_cast<SSL*>(end.ssl), 0);
}

bool put_peers_before(const PeerJudge& judge, const PeerRules& rules, PeerEnd& end, void* ssl_ctx)
{
    auto* const context = static_cast<SSL_CTX*>(ssl_ctx);
    ERR_clear_error();
    const bool knows_authorities = rules.authorities.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                                             : load_authorities(context, rules.authorities).has_value();
    const int version = rules.minimum_version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
    if (!knows_authorities || SSL_CTX_set_min_proto_version(context, version) != 1)
        return false;
    if (SSL_CTX_set_ex_data(context, end_index(), &end) != 1)
        return false;
    SSL_CTX_set_info_callback(context, note_progress);
    SSL_CTX_set_quiet_shutdown(context, end.is_held_back ? 1 : 0);
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    // OpenSSL hands the pointer back to ask_judge, which only reads.
    SSL_CTX_set_cert_verify_callback(context, ask_judge, const_cast<PeerJudge*>(&judge));
    return true;
}

} // namespace safetp::tls
