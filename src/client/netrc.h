// ~/.netrc, as netrc(5) of ftp(1) describes it. Pure but for the last two.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace safetp::client {

struct NetrcLogin {
    std::string user{};
    std::optional<std::string> password{}; ///< none: the entry has no password
};

/// The entry for `host` (a ServerName's), with this user unless `user` is empty; `default` counts for all hosts. Macros are
/// skipped. A word may stand in double quotes, with backslashes before quotes; "#" begins a comment only where a keyword may
/// stand. bad_file: what comes before the entry's end cannot be understood, with the line.
Result<std::optional<NetrcLogin>> find_in_netrc(std::string_view text, std::string_view host, std::string_view user);

/// The file that NETRC names, else ~/.netrc; empty: there is no home.
std::string netrc_path();
/// Empty where there is no such file. bad_file: others may read it, or it cannot be read.
Result<std::string> read_netrc(const std::string& path);

} // namespace safetp::client
