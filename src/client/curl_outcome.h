// What a result code of libcurl means for a person. Internal to client/.
#pragma once

#include "client/transfer.h"

#include <curl/curl.h>
#include <string>

namespace safetp::client {

struct CurlOutcome {
    CURLcode code = CURLE_OK;
    std::string words{};       ///< libcurl's own
    std::string last_reply{};  ///< of the server; may be empty
    bool is_connected = false; ///< the server has answered at least once
    bool is_secure = false;    ///< the control connection is under TLS and its key was accepted
};

/// `result` has what the callbacks found; this fills in its end and its sentence.
void explain_outcome(const TransferRequest& request, const CurlOutcome& outcome, TransferResult& result);

} // namespace safetp::client
