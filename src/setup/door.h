// Tries the front door as a client would: connects, reads the greeting, begins TLS, looks at the certificate, and hears what
// the raw ftpd behind it says to a user's name. No password is given, so that nothing counts as a failed login.
#pragma once

#include "base/ip_address.h"
#include "config/config.h"

#include <optional>
#include <string>
#include <vector>

namespace safetp::setup {

struct DoorVisit {
    enum class Outcome {
        open,    ///< a client gets as far as his password
        dead,
        untried, ///< it wants a certificate, and works until there
    };
    Endpoint endpoint;
    Outcome outcome = Outcome::dead;
    bool is_listening = true;
    std::string tls{};         ///< "TLSv1.3, key SHA256:..."; empty: it did not come so far
    std::string certificate{}; ///< whom it names, and until when; empty as above
    std::string words{};       ///< what stopped it, or the raw ftpd's answer; one clause
};

/// Each listener of the configuration once, or twice where it is open on all addresses: on loopback and on the first other one
/// of `addresses`. Takes some seconds for each at most, as a rule milliseconds.
std::vector<DoorVisit> visit_doors(const config::Config& config, const std::vector<IpAddress>& addresses);

} // namespace safetp::setup
