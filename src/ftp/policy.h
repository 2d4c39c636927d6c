// The rules of a session's dialogue, as plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace safetp::ftp {

enum class Security : std::uint8_t { required, required_except_anonymous, optional };
enum class ServerDataMode : std::uint8_t { automatic, epsv, pasv, active };

/// The leg that is made safe: the client's by a front door (safetpd), the server's by a client side (safetp). The other one is
/// plain, and what is said about security on it (AUTH, PROT) concerns nobody else.
enum class SecureLeg : std::uint8_t { client, server };

struct Policy {
    SecureLeg secure_leg = SecureLeg::client;
    Security security = Security::required;
    bool data_security_required = true; ///< PROT P for every transfer of a secured session
    bool implicit_tls = false;          ///< TLS from the first byte; data connections start protected
    bool allow_ccc = false;
    ServerDataMode server_data_mode = ServerDataMode::automatic;
    std::size_t waiting_commands = 64;
    std::size_t reply_bytes = 16u << 20;
    /// The longest line that the server reads as one, CRLF included, at least 64: a server cuts a longer one and carries out
    /// the rest as another command. The default is safe with all that is known: inetutils-ftpd takes 511.
    std::size_t server_line_bytes = 500;
    unsigned login_failures = 5;
    unsigned bad_commands = 20;
    std::string greeting;               ///< text of the 220; empty: the raw ftpd's own
    bool passes_greeting = true;        ///< false: the client was greeted before its server was known
    std::string server_words = "The FTP server behind this gateway"; ///< how replies call the server
};

} // namespace safetp::ftp
