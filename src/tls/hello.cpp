#include "tls/hello.h"

#include "base/ip_address.h"
#include "tls/context_impl.h"
#include "tls/tls_session.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace safetp::tls {

namespace {

constexpr unsigned char kPskKe = 0; // RFC 8446 section 4.2.9
constexpr std::string_view kAlpnFtp = "ftp"; // IANA: RFC 959, RFC 4217

std::string_view as_text(const unsigned char* bytes, std::size_t size)
{
    return {static_cast<const char*>(static_cast<const void*>(bytes)), size};
}

/// The host name of the server_name extension: list length (2 bytes), type 0, name length (2 bytes), name. None where the
/// extension is absent or malformed; OpenSSL ends the handshake in the latter case.
std::optional<std::string> requested_name(SSL* ssl)
{
    const unsigned char* bytes = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1 || size < 5)
        return std::nullopt;
    const auto number = [bytes](std::size_t at) { return static_cast<std::size_t>(bytes[at] << 8 | bytes[at + 1]); };
    if (number(0) != size - 2 || bytes[2] != TLSEXT_NAMETYPE_host_name || number(3) != size - 5)
        return std::nullopt;
    return std::string(as_text(bytes + 5, size - 5));
}

/// The psk_key_exchange_modes extension: list length (1 byte), modes of one byte (RFC 8446 section 4.2.9).
bool offers_psk_ke(SSL* ssl)
{
    const unsigned char* bytes = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk_kex_modes, &bytes, &size) != 1 || size < 1)
        return false;
    return std::find(bytes + 1, bytes + size, kPskKe) != bytes + size;
}

/// RFC 6066 forbids addresses as names, clients send them all the same: as good as no name.
bool is_a_name(const std::string& name) { return !name.empty() && !IpAddress::parse(name); }

int on_client_hello(SSL* ssl, int* alert, void*)
{
    TlsSession& stream = TlsSession::of(ssl);
    const ServerContext::Impl& context = stream.context();
    const std::string name = requested_name(ssl).value_or(std::string{});
    const Identity* identity = is_a_name(name) ? find_identity(context.identities, name) : nullptr;
    if (identity == nullptr && is_a_name(name) && context.refuse_unknown_names) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        stream.note_refusal("no certificate bears the name \"" + name + "\"");
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!stream.use_identity(identity != nullptr ? *identity : context.identities.front(), name)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (offers_psk_ke(ssl))
        stream.note_psk_ke_is_offered();
    return SSL_CLIENT_HELLO_SUCCESS;
}

int on_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered, unsigned size, void*)
{
    for (unsigned at = 0; at < size; at += 1u + offered[at]) {
        if (as_text(offered + at + 1, offered[at]) == kAlpnFtp) {
            *chosen = offered + at + 1;
            *chosen_size = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; // no_application_protocol
}

} // namespace

void install_hello(SSL_CTX* context)
{
    SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, nullptr);
}

} // namespace safetp::tls
