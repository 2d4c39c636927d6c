// The way to a server that has to be safe before anything of the client's is said to it: lookup, connection, greeting, AUTH,
// TLS, certificate, PBSZ and PROT. One attempt a session.
#pragma once

#include "ftp/line_buffer.h"
#include "ftp/server_security.h"
#include "net/channel.h"
#include "proxy/client_side.h"
#include "proxy/environment.h"

#include <functional>
#include <optional>
#include <string>

namespace safetp::proxy {

class ServerReach {
public:
    /// Why there will be no session with this server.
    struct Refusal {
        ftp::EndReason reason = ftp::EndReason::server_unreachable;
        bool is_lasting = true; ///< trying again will not help
        std::string words{};    ///< one sentence or more for a person, in one line
    };

    /// `deadline_nearer` is called when deadline() is earlier than it was.
    ServerReach(const Environment& environment, const ClientSide& client_side, std::uint64_t session, Destination destination,
        std::function<void()> deadline_nearer);

    /// Nothing: the server is at `place`, and safe or allowed to be clear. The channel is put there before the first wait for
    /// it. `lines` keeps what has come behind the last reply.
    net::Task<std::optional<Refusal>> run(std::optional<net::Channel>& place, ftp::LineBuffer& lines);

    const std::string& greeting() const { return security_->greeting(); } ///< the server's 220, all lines with CRLF
    tls::ClientSession* tls_session() { return tls_ ? &*tls_ : nullptr; } ///< null: the server is spoken to in clear
    bool is_implicit() const { return rules_.implicit_tls; }
    const Destination& destination() const { return destination_; }

    std::optional<net::Clock::time_point> deadline() const { return deadline_; }
    void on_expiry(); ///< the time is up
    void abandon();   ///< the session is over: run() returns as soon as it can

private:
    using Failure = std::optional<Refusal>;

    net::Task<Failure> connect();
    net::Task<Failure> secure(ftp::LineBuffer& lines);
    net::Task<Failure> read_line(ftp::LineBuffer& lines);
    net::Task<Failure> send_lines();
    net::Task<Failure> start_tls();
    void allow(std::chrono::seconds time);
    Refusal refuse_name(const Error& error) const; // these in reach_words.cpp
    Refusal refuse_unreachable(const Error& error) const;
    Refusal refuse_obstacle() const;
    Refusal refuse_handshake(const Error& error) const;
    Refusal refuse_silence() const;

    const Environment& environment_;
    const ClientSide& client_side_;
    const std::uint64_t session_;
    Destination destination_;
    std::function<void()> deadline_nearer_;
    std::optional<net::Channel>* place_ = nullptr;
    ServerRules rules_;
    Trust trust_;
    std::optional<tls::ClientSession> tls_;
    std::optional<ftp::ServerSecurity> security_;
    std::optional<net::Clock::time_point> deadline_;
    bool has_expired_ = false;
    bool is_abandoned_ = false;
};

} // namespace safetp::proxy
