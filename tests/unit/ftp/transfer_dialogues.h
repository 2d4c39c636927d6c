// What the tests of transfers begin and end with.
#pragma once

#include "ftp/dialogue.h"

#include <string>

namespace safetp::ftp {

inline const std::string kDownload = R"(
    do login
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected
)";
inline const std::string kUpload = R"(
    do login
    do epsv
    C> STOR a
    S< STOR a
    action StartTransfer upload protected
)";
inline const std::string k150 = R"(
    S> 150 ok
    C< 150 ok
)";
inline const std::string kRunning = kDownload + k150;
/// The client has given up what was running, and knows it.
inline const std::string kAborted = kRunning + R"(
    C> ABOR
    action AbortData
    C< 426 *
    C< 226 *
)";
inline const std::string kStillWorks = R"(
    waiting client
    wants yes
    C> NOOP
    S< NOOP
    S> 200 ok
    C< 200 ok
    do epsv
)";

struct FailureCase {
    const char* failure;
    const char* verdict;
};
inline constexpr FailureCase kClientFailures[] = { { "client_not_connected", "425 *" }, { "client_unreachable", "425 *" },
    { "handshake_failed", "522 *" }, { "not_resumed", "522 *" }, { "wrong_certificate", "522 *" }, { "client_broken", "426 *" },
    { "server_unreachable", "425 *" }, { "stalled", "426 *" } };

/// Before its 150 a raw ftpd may not have taken its data connection yet: it is reset when it has.
inline std::string abort_of(const std::string& before) { return before.empty() ? "AbortClientData" : "AbortData"; }

inline const std::string kDownloadCut = "action TransferEnded download RETR a cut\n";
inline const std::string kUploadCut = "action TransferEnded upload STOR a cut\n";

} // namespace safetp::ftp
