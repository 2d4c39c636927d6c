// The file under a PinStore: read whole, replaced whole, changed by one process at a time. Internal to client/.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <string>
#include <string_view>

namespace safetp::client {

/// Empty where there is no file. Errors: bad_file (see PinStore).
Result<std::string> read_pin_file(const std::string& path);

/// Holds FILE.lock until it is destroyed; makes the directories that are missing. Errors: bad_file, timed_out.
Result<UniqueFd> lock_pin_file(const std::string& path, std::chrono::milliseconds timeout);

/// Only under the lock. On an error the old file is still in place, whole.
Result<void> replace_pin_file(const std::string& path, std::string_view text);

} // namespace safetp::client
