// Which FTP server of a machine is to stand behind safetpd, and how it is started for one session.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "setup/ftpd_conf.h"
#include "setup/openings.h"
#include "setup/root.h"

#include <string>
#include <vector>

namespace safetp::setup {

struct RawServer {
    FtpdKind kind = FtpdKind::other;
    std::string program;                ///< a path
    std::vector<std::string> arguments; ///< behind argv[0]
    std::string argv0;                  ///< empty: the program's own name
    std::string user = "root";
    std::string origin; ///< how it was found: one clause

    std::string daemon() const;               ///< its name in the access tables
    std::vector<std::string> command() const; ///< program and arguments
};

/// `wanted` (a path) or, where that is empty: the one that safetpd, or our own unit, starts already, else inetd's, else one
/// that listens by itself, else one that is installed. bad_file: none, or `wanted` is no program.
Result<RawServer> find_raw_server(
    const Root& root, const std::string& wanted, const config::Config& config, const std::vector<Opening>& openings);

} // namespace safetp::setup
