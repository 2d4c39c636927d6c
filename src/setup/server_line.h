// How long a line the raw ftpd reads as one (ftp/line_probe.h), measured as safetpd does it, for people to see.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"

#include <cstddef>
#include <functional>

namespace safetp::setup {

/// A new connection to the raw ftpd.
using ReachServer = std::function<Result<UniqueFd>()>;

/// Bytes, CRLF included. An error says why it could not be measured. Some connections, a second as a rule, at most a minute.
Result<std::size_t> measure_server_line(const ReachServer& reach, std::size_t most);

} // namespace safetp::setup
