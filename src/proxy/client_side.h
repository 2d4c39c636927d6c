// The client side's view of the world: which server is wanted, how it is to be spoken to, and whether it is believed. The
// answers come from outside (command line, configuration, pins); sessions only ask.
#pragma once

#include "base/ip_address.h"
#include "ftp/control_channel.h"
#include "net/asio.h"
#include "tls/client_context.h"
#include "tls/peer_certificate.h"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::proxy {

/// The server that a client wants.
struct Destination {
    std::string host;       ///< as people name it, without brackets: for SNI, certificate, pins and messages; may be an address
    std::uint16_t port = 21;
    std::optional<IpAddress> address{}; ///< where it is, if that is known already; else `host` is looked up
    bool is_impersonated = false;       ///< the client has dialled `address` and does not know of us
    std::string to_string() const;      ///< HOST, or HOST:PORT where the port is not 21
};

/// What was heard of a client's session before it came to us.
struct Overheard {
    std::string said{};       ///< the client's first words, which nobody has answered
    bool is_greeted = false;  ///< by somebody
};

struct ServerRules {
    bool implicit_tls = false;
    bool may_be_clear = false;              ///< a server that refuses AUTH may be spoken to in clear
    bool needs_close_notify = true;         ///< at the end of each download
    const tls::ClientContext* tls = nullptr; ///< never null; with the certificate that this server is to see
};

struct Trust {
    bool is_accepted = false;
    bool is_first_use = false; ///< nothing was known of the server; its key is remembered from now on
    std::string for_person{};  ///< one sentence
    std::string for_log{};
};

/// Everything here outlives every session. None of it may throw.
struct ClientSide {
    /// "HOST[:PORT]" as typed; or what is wrong with it, as the rest of a sentence.
    std::function<std::expected<Destination, std::string>(std::string_view typed)> understand;
    /// Or one sentence for a person that says why this server cannot be spoken to.
    std::function<std::expected<ServerRules, std::string>(const Destination&)> rules_for;
    std::function<Trust(const Destination&, const tls::PeerCertificate&)> judge;
    /// The addresses of a host name, for a session; never an empty list.
    std::function<net::Task<Result<std::vector<IpAddress>>>(std::string host, std::uint64_t session)> look_up;
};

} // namespace safetp::proxy
