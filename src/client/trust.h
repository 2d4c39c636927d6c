// Whether a server is the one it should be: the key that it shows against pins and authorities.
#pragma once

#include "client/pins.h"
#include "tls/peer_certificate.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::client {

enum class TrustPolicy {
    ca,         ///< the system's authorities vouch for the certificate and the name; keys may change
    pin,        ///< the key is the remembered one, as with ssh; dates, names and authorities do not matter then
    ca_and_pin, ///< both
};
std::optional<TrustPolicy> parse_policy(std::string_view text); ///< ca, pin, ca+pin
std::string_view to_text(TrustPolicy policy);

struct TrustOptions {
    TrustPolicy policy = TrustPolicy::pin;
    /// A server without a pin is refused (Reason::unknown_key) instead of remembered.
    bool refuse_unknown = false;
    /// Pins of this server that the configuration names, "SHA256:...". If there are any, only they count, with every policy,
    /// and the store is not asked for keys; `ca` and `ca_and_pin` then ask for the authorities as well.
    std::vector<std::string> configured_pins{};
    /// The store, for the advice in sentences; empty: the one that safetp takes by itself.
    std::string pins_file{};
};

struct Verdict {
    enum class Outcome { accepted, accepted_first_use, refused };
    enum class Reason {
        vouched,     ///< by the authorities, policy ca
        pinned,      ///< the key is remembered or configured (and vouched for, policy ca_and_pin)
        first_use,   ///< remembered now
        unknown_key, ///< refused: not remembered, and may not be at first use
        key_changed, ///< refused: another key is remembered or configured
        not_vouched, ///< refused: policy ca or ca_and_pin
        expired,     ///< refused: a first use of a certificate that is not valid now, which nothing speaks for
        bad_store,   ///< refused: known_servers cannot be read or written, or its line cannot be understood
    };
    Outcome outcome = Outcome::refused;
    Reason reason = Reason::unknown_key;
    std::string for_person{}; ///< one sentence that tells somebody who knows only his FTP program what happened and what to do
    std::string for_log{};    ///< what was seen and expected, with fingerprints; peers' texts are escaped in both

    bool is_accepted() const { return outcome != Outcome::refused; }
};

/// Pure: the decision without the file. nullopt: a first use, to be accepted if the pin can be remembered.
std::optional<Verdict> judge(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options,
    const KnownServer& known, std::chrono::system_clock::time_point now);

/// Judges, and remembers what is to be remembered: a first use, and that the server has been secure. A pin that cannot be
/// stored is a refusal. May block for the store's lock.
Verdict decide(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options, PinStore& store);

/// The pin for a certificate that was just seen.
Pin make_pin(const ServerName& server, const tls::PeerCertificate& certificate, Pin::How how);

} // namespace safetp::client
