// Measures how long a line the raw ftpd reads as one (ftp/line_probe.h), on connections of its own: never on a user's session.
#pragma once

#include "ftp/line_limits.h"
#include "ftp/line_probe.h"
#include "net/tasks.h"
#include "proxy/environment.h"

namespace safetp::proxy {

class ServerLine {
public:
    /// `limits` is shared by all workers of a configuration, of which one measures at a time. All must outlive this; so must
    /// `tasks` end before.
    ServerLine(const Environment& environment, ftp::LineLimits& limits, net::TaskGroup& tasks);

    /// What a session may send behind this greeting (Greeting::fingerprint, 0: none yet), CRLF included.
    std::size_t limit(std::uint64_t greeting) const;
    bool is_known(std::uint64_t greeting) const { return limits_.find(greeting).has_value(); }

    /// Begins to measure, unless somebody does, or did a moment ago. `address`: where the raw ftpd is, if it is not started.
    void measure(const IpAddress& address);

private:
    class Conversation;

    net::Task<> run(IpAddress address);
    net::Task<std::optional<ftp::LineProbe::Verdict>> probe(IpAddress address, std::size_t bytes, std::uint64_t& greeting);

    const Environment& environment_;
    ftp::LineLimits& limits_;
    net::TaskGroup& tasks_;
    std::size_t last_ = 0; ///< what was measured last; 0: nothing yet
};

} // namespace safetp::proxy
