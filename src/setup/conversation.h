// Talks FTP with somebody, line by line, and waits for the answers: what the front door is tried with, and the raw ftpd.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"
#include "ftp/line_buffer.h"
#include "tls/stream.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::setup {

class Conversation {
public:
    using Clock = std::chrono::steady_clock;

    /// All of it has to be over at `deadline`; what is not done by then fails with ETIMEDOUT.
    Conversation(UniqueFd connected, Clock::time_point deadline);

    Result<void> send(std::string_view text);
    Result<std::string> read_line(); ///< without its end; peer_closed where the other side ends

    /// A reply, its lines divided by LF. bad_file: what came is none.
    Result<std::string> read_reply();
    Result<std::string> ask(std::string_view line); ///< `line` without its end

    Result<void> start_tls(tls::ClientSession& session);
    const tls::HandshakeInfo& handshake_info() const { return stream_.handshake_info(); }

private:
    Result<void> wait(tls::IoStep::Kind kind) const;

    tls::Stream stream_;
    ftp::LineBuffer lines_;
    Clock::time_point deadline_;
};

/// A connection, non-blocking.
Result<UniqueFd> dial(const Endpoint& endpoint, std::chrono::steady_clock::time_point deadline);

} // namespace safetp::setup
