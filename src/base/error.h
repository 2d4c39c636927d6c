// The one error type of all modules: a code for programs, a sentence for people.
#pragma once

#include <string>
#include <string_view>

namespace safetp {

/// What went wrong, for code and tests to compare. The text that goes with each is in error.cpp.
enum class ErrorCode {
    // system
    system_call,        ///< os_error says which errno
    peer_closed,        ///< an orderly end where more was expected
    connection_reset,
    connect_failed,
    timed_out,
    cancelled,
    no_free_port,
    // text
    bad_address,
    bad_port,
    bad_file,
    bad_config,
    // tls
    tls_setup,          ///< a certificate, key or option could not be used
    tls_handshake,
    tls_truncated,      ///< the TCP connection ended without close_notify: the data may have been cut
    tls_protocol,       ///< a record or alert that ends the connection
    tls_version,        ///< the server speaks only versions of TLS that are too old
    tls_untrusted,      ///< the server's certificate was refused by whoever judges it
    tls_other_key,      ///< a data connection came with another key than the control connection
    // processes
    supervisor,         ///< the supervisor refused or could not carry out a request
};

struct Error {
    ErrorCode code;
    int os_error = 0;    ///< an errno value, or 0 where there is none
    std::string context; ///< which object, and what the library said of it; may be empty
};

std::string_view describe(ErrorCode code);

/// One sentence: the context, what happened, and errno's text where there is one.
std::string describe(const Error& error);

} // namespace safetp
