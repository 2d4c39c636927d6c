#include "base/error.h"

#include <cstring>

namespace safetp {

std::string_view describe(ErrorCode code)
{
    switch (code) {
    case ErrorCode::system_call: return "system call failed";
    case ErrorCode::peer_closed: return "the peer closed the connection";
    case ErrorCode::connection_reset: return "the connection was reset";
    case ErrorCode::connect_failed: return "could not connect";
    case ErrorCode::timed_out: return "timed out";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::no_free_port: return "no free port in the configured range";
    case ErrorCode::bad_address: return "not an IP address";
    case ErrorCode::bad_port: return "not a port";
    case ErrorCode::bad_file: return "file cannot be used";
    case ErrorCode::bad_config: return "bad configuration";
    case ErrorCode::tls_setup: return "TLS cannot be set up";
    case ErrorCode::tls_handshake: return "TLS handshake failed";
    case ErrorCode::tls_truncated: return "TLS connection ended without close_notify";
    case ErrorCode::tls_protocol: return "TLS protocol error";
    case ErrorCode::tls_version: return "the server speaks only versions of TLS that are no longer safe";
    case ErrorCode::tls_untrusted: return "the server's certificate is not trusted";
    case ErrorCode::tls_other_key: return "the server's key is another than on the control connection";
    case ErrorCode::supervisor: return "the supervisor could not help";
    }
    return "unknown error";
}

std::string describe(const Error& error)
{
    std::string text = error.context;
    const bool is_said = error.code == ErrorCode::bad_file && !text.empty(); // which file, and what is wrong with it
    if (!text.empty() && !is_said)
        text += ": ";
    if (!is_said)
        text += describe(error.code);
    if (error.os_error != 0) {
        text += ": ";
        text += std::strerror(error.os_error);
    }
    return text;
}

} // namespace safetp
