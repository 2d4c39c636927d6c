// A transfer under way, as the dialogue knows it. Internal to ControlChannel.
#pragma once

#include "ftp/actions.h"
#include "ftp/command.h"

#include <cstddef>
#include <optional>
#include <string>

namespace safetp::ftp {

constexpr std::size_t kMostWords = 200; ///< bytes of a reply in the log

struct Transfer {
    Command command;
    Direction direction = Direction::download;
    bool is_protected = false;
    bool has_started = false;      ///< StartTransfer was put out
    bool preliminary_seen = false;
    bool data_is_over = false;     ///< drained or uploaded
    bool finishing = false;        ///< FinishDownload was put out
    bool end_is_awaited = false;   ///< AwaitEnd was put out
    bool is_client_aborted = false; ///< AbortClientData was put out
    bool is_aborted = false;       ///< AbortData was put out
    bool client_said_abor = false;
    bool verdict_given = false;    ///< the client has its final reply; the raw ftpd still owes its own
    bool is_asked_for_end = false; ///< a NOOP went behind it: whatever the raw ftpd says of it comes before the 200
    std::optional<DataFailure> failure;
    std::optional<int> final_code;
    std::string final_text;        ///< held until the data has arrived

    /// Why it is not complete, for the log.
    std::string reason() const;
};

} // namespace safetp::ftp
