// A transfer under way, as the dialogue knows it. Internal to ControlChannel.
#pragma once

#include "ftp/actions.h"
#include "ftp/command.h"

#include <optional>
#include <string>

namespace safetp::ftp {

struct Transfer {
    Command command;
    Direction direction;
    bool is_protected = false;
    bool has_started = false;      ///< StartTransfer was put out
    bool preliminary_seen = false;
    bool data_is_over = false;     ///< drained or uploaded
    bool finishing = false;        ///< FinishDownload was put out
    bool end_is_awaited = false;   ///< AwaitEnd was put out
    bool is_client_aborted = false; ///< AbortClientData was put out
    bool is_aborted = false;       ///< AbortData was put out
    bool verdict_given = false;    ///< the client has its final reply; the raw ftpd still owes its own
    std::optional<DataFailure> failure;
    std::optional<int> final_code;
    std::string final_text;        ///< held until the data has arrived
};

} // namespace safetp::ftp
