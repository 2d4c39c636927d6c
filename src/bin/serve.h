// `safetpd serve DIR`: a directory over FTP with TLS, at once, without a configuration.
#pragma once

#include "base/ip_address.h"

#include <cstdint>
#include <string>

namespace safetp::bin {

struct ServeOptions {
    std::string directory;
    std::string ftpd;                                    ///< path; empty: the first one found
    std::uint16_t port = 2121;
    IpAddress address = IpAddress::from_ipv4({127, 0, 0, 1});
    bool is_verbose = false;
};

/// Runs until INT or TERM; the exit code. Writes what the raw ftpd needs into a private directory and removes it at the end.
int serve(const ServeOptions& options);

} // namespace safetp::bin
