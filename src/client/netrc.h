// ~/.netrc, as netrc(5) of ftp(1) describes it. Pure but for read_netrc.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace safetp::client {

struct NetrcLogin {
    std::string user{};
    std::string password{};
};

/// The entry for `host`, with this user unless `user` is empty; `default` counts for all hosts. Macros are skipped. A word may
/// stand in double quotes, with backslashes before quotes.
std::optional<NetrcLogin> find_in_netrc(std::string_view text, std::string_view host, std::string_view user);

/// The file that NETRC names, or ~/.netrc; empty where there is none. bad_file: others may read it, or it cannot be read.
Result<std::string> read_netrc();

} // namespace safetp::client
