// The exit codes of safetp(1): those of sysexits(3), so that scripts can tell a refused key from a broken transfer.
#pragma once

namespace safetp::client {

constexpr int kExitOk = 0;
constexpr int kExitFailure = 1;       ///< the server refused what was asked for, or there was nothing to do
constexpr int kExitUsage = 64;        ///< the command line
constexpr int kExitNoInput = 66;      ///< the file to send cannot be read
constexpr int kExitUnreachable = 69;  ///< no such host, or nobody answers
constexpr int kExitCannotCreate = 73; ///< the file to receive, or known_servers, cannot be written
constexpr int kExitTryAgain = 75;     ///< broken off midway: -c can continue
constexpr int kExitNotTrusted = 76;   ///< the server's key was refused, or the server offers no TLS
constexpr int kExitLoginFailed = 77;
constexpr int kExitConfig = 78;       ///< safetp.toml has a mistake

} // namespace safetp::client
