#include "tls/openssl_error.h"

#include <cstring>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace safetp::tls {

namespace {

/// What the reasons that an operator meets most often mean on an FTP connection.
const char* explain_ssl_reason(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return " (the client sent plain text)";
    case SSL_R_UNSUPPORTED_PROTOCOL: return " (the client's TLS is too old)";
    case SSL_R_NO_APPLICATION_PROTOCOL: return " (by ALPN the client wants another protocol than ftp)";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN: return " (the client does not accept our certificate)";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return " (a client certificate is required)";
    default: return "";
    }
}

/// The same of a server to which we are the client.
const char* explain_server_reason(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER: return " (the server sent something else than TLS)";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return " (the server's TLS is too old)";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE: return " (the server has no cipher or version that is safe enough)";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN: return " (the server does not accept our certificate)";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return " (the server wants a client certificate)";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME: return " (the server does not know the name that it was called by)";
    case SSL_R_DH_KEY_TOO_SMALL:
    case SSL_R_EE_KEY_TOO_SMALL: return " (the server's key is too short to be safe)";
    default: return "";
    }
}

const char* explain(unsigned long code, OtherEnd other_end)
{
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && other_end == OtherEnd::server)
        return explain_server_reason(ERR_GET_REASON(code));
    if (ERR_GET_LIB(code) == ERR_LIB_SSL)
        return explain_ssl_reason(ERR_GET_REASON(code));
    return "";
}

} // namespace

std::string take_openssl_error(OtherEnd other_end)
{
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0)
        return {};
    if (ERR_SYSTEM_ERROR(code))
        return std::strerror(ERR_GET_REASON(code));
    const char* const reason = ERR_reason_error_string(code);
    std::string text = reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
    return text + explain(code, other_end);
}

bool is_version_mismatch()
{
    const unsigned long code = ERR_peek_error();
    const int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_SSL
        && (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
}

std::string explain_verification(long result)
{
    const std::string words = X509_verify_cert_error_string(result);
    switch (result) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return words + " (the client's certificate is not one of the client CA's)";
    case X509_V_ERR_UNABLE_TO_GET_CRL: return words + " (there is no revocation list of its authority)";
    case X509_V_ERR_CRL_HAS_EXPIRED: return words + " (its authority's revocation list is out of date)";
    default: return words;
    }
}

std::unexpected<Error> setup_failure(const std::string& what)
{
    const std::string words = take_openssl_error();
    return fail(ErrorCode::tls_setup, 0, words.empty() ? what : what + ": " + words);
}

} // namespace safetp::tls
