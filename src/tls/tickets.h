// Which TLS session may be resumed where. Internal to tls/.
//
// Each session carries a session id context of two halves: the scope (certificate and rules for clients) and the binding of
// the FTP session it was made in. OpenSSL stores it inside tickets and cached sessions and resumes only where it equals the
// stream's own. So a data stream can resume its own FTP session and nothing else, in every version of TLS. A control stream
// may also take a ticket of an earlier FTP session of the same scope: the ticket callback then re-labels the session.
// Data streams that did a full handshake leave nothing to resume: otherwise a stranger's first, unbound data connection
// would give him what makes his second one look bound.
#pragma once

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/openssl_types.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <deque>
#include <map>
#include <string>

namespace safetp::tls {

using SessionIdContext = std::array<unsigned char, 32>;
SessionIdContext join(const Scope& scope, const SessionBinding& binding);

/// The age of `session` counts from now: its ticket has its whole lifetime before it.
void make_young(SSL_SESSION* session);

/// The keys that encrypt tickets. Made before the fork and inherited. After each `lifetime` the next key follows from a secret
/// that is hashed away at the same moment: so all processes come to the same keys without a word, and the memory of none of
/// them, the supervisor's included once it calls renew(), opens tickets of long ago. A retired key still opens tickets during
/// the next kRetiredKeys lifetimes: not for logins (an unbound ticket expires after one lifetime) but for data connections of
/// long FTP sessions, whose tickets do not expire. With the default of 2 hours that is a day.
class TicketKeys {
public:
    static constexpr std::size_t kRetiredKeys = 12;
    /// After so many lifetimes at once it is the clock that has jumped: each process goes on with a secret of its own.
    static constexpr std::int64_t kMostAtOnce = 20'000;

    explicit TicketKeys(std::chrono::seconds lifetime);
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;
    ~TicketKeys();

    /// Draws the first secret. False: no random numbers, or OpenSSL has no AES.
    bool prepare();
    /// Takes the key of this moment into use, and gives up what is too old. False: as prepare().
    bool renew();
    /// As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: 1 used, 0 unknown key, -1 failed.
    int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
    int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);

private:
    using Secret = std::array<unsigned char, 32>;
    struct Key {
        Secret name; ///< the first 16 bytes
        Secret cipher_key;
        Secret mac_key;
    };
    bool draw_secret();
    bool step();
    bool add_key();
    static bool set_mac_key(EVP_MAC_CTX* mac, Key& key);

    std::chrono::seconds lifetime_;
    CipherPtr cipher_;
    Secret secret_{};
    std::time_t made_ = 0; ///< when the newest key's time began
    std::deque<Key> keys_; ///< the newest first
};

/// For TLS 1.2 clients without tickets: the sessions of the control streams that live, by session id. Data streams get copies,
/// because OpenSSL spoils a session whose connection fails, and a failed transfer must not cost the next one its resumption.
using SessionsById = std::map<std::string, SessionPtr>;

/// Puts the callbacks on.
void install_tickets(SSL_CTX* context, std::chrono::seconds lifetime);

} // namespace safetp::tls
