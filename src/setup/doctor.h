// `safetpd doctor`: is there any way round the front door?
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"
#include "config/report.h"

#include <functional>
#include <optional>
#include <string>

namespace safetp::setup {

struct DoctorOptions {
    std::string config; ///< empty: /etc/safetp/safetpd.toml
    std::string root;   ///< a scratch root; empty: this machine
    bool is_json = false;
    bool may_connect = true; ///< to what listens here: a wrapper logs that, and carries out what its rules say
    /// Starts [server] command as for a session: our end of its connection. Empty: it is not looked at.
    std::function<Result<UniqueFd>(const config::Server&)> start_server{};
};

enum class Diagnosis {
    no_way, ///< none was found, and all was seen
    ways,
    trouble, ///< none was found, but the front door does not work
    not_all_seen, ///< none was found, but something could not be looked at
    bad_config,
};

/// Prints its findings on standard output, what is wrong with the configuration on standard error. May take some seconds.
Diagnosis examine(const DoctorOptions& options);

/// For `safetpd check`: a raw ftpd that safetpd starts and that insists on TLS of its own, so that nobody could log in.
std::optional<config::Problem> check_own_tls(const config::Server& server);

} // namespace safetp::setup
