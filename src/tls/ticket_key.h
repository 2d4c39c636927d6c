// The key that seals one FTP session's TLS tickets.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace safetp::tls {

/// Drawn for each FTP session, kept where that is, wiped when it ends: nobody can open a session's tickets, nor what resumed
/// them, after it. Its name stands readable in every ticket and so in the ClientHello that resumes it (RFC 5077 section 4):
/// the gateway's number, the worker's, and the session's own 12 random bytes, so that a connection can be led to its session.
/// Immutable; streams under it borrow it.
class TicketKey {
public:
    using Name = std::array<unsigned char, 16>; ///< SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
    using Secret = std::array<unsigned char, 32>;

    /// Random but for the numbers. Ends the process where there are no random numbers.
    explicit TicketKey(std::uint16_t gateway = 0, std::uint16_t worker = 0);
    TicketKey(const TicketKey&) = delete;
    TicketKey& operator=(const TicketKey&) = delete;
    ~TicketKey();

    const Name& name() const { return name_; }
    const Secret& cipher_key() const { return cipher_key_; } ///< AES-256-CBC
    const Secret& mac_key() const { return mac_key_; }       ///< HMAC-SHA-256

private:
    Name name_;
    Secret cipher_key_;
    Secret mac_key_;
};

} // namespace safetp::tls
