// `safetpd doctor`: is there any way round the front door?
#pragma once

#include <string>

namespace safetp::setup {

struct DoctorOptions {
    std::string config; ///< empty: /etc/safetp/safetpd.toml
    std::string root;   ///< a scratch root; empty: this machine
    bool is_json = false;
    bool may_connect = true; ///< to what listens here: a wrapper logs that, and carries out what its rules say
};

enum class Diagnosis {
    no_way, ///< none was found, and all was seen
    ways,
    not_all_seen, ///< none was found, but something could not be looked at
    bad_config,
};

/// Prints its findings on standard output, what is wrong with the configuration on standard error. May take some seconds.
Diagnosis examine(const DoctorOptions& options);

} // namespace safetp::setup
