// The raw ftpds that were started for sessions: whose they are, and that each of them ends some time after its session.
#pragma once

#include "supervisor/shared_counters.h"

#include <chrono>
#include <map>
#include <optional>
#include <sys/types.h>

namespace safetp::supervisor {

/// Of a worker and in it: numbers are not given twice while both live. 0 is no client's session.
struct SessionName {
    pid_t worker;
    std::uint64_t number;
    bool operator==(const SessionName&) const = default;
};

class StartedServers {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kKillAfter{10};  ///< SIGTERM
    static constexpr std::chrono::seconds kStrangers{5};   ///< after which one gets SIGTERM in which nobody had logged in
    static constexpr std::ptrdiff_t kProbes = 4;
    static constexpr std::chrono::seconds kAtOurEnd{3};    ///< when we are to end ourselves

    explicit StartedServers(SharedCounters& counters) : counters_(counters) {}

    /// Before one is started. False: this client may have no further one now. Those that a worker asks for by itself, to try
    /// them (session 0), are no client's: of them there are kProbes.
    bool reserve(const SessionName& session, const IpAddress& client, const config::Limits& limits);
    void give_back(const SessionName& session, const IpAddress& client); ///< it could not be started
    void add(pid_t server, const SessionName& session, const IpAddress& client);

    /// The session has ended, or the worker with all of its sessions: within `grace` the raw ftpd is to end as well.
    void on_session_end(const SessionName& session, std::chrono::seconds grace);
    void on_worker_end(pid_t worker, std::chrono::seconds grace);
    void on_our_end(); ///< those whose session has ended hold us up no longer than kAtOurEnd; the others when it ends

    bool on_child_end(pid_t pid); ///< false: none of these

    std::optional<Clock::time_point> deadline() const;
    void on_deadline(Clock::time_point now); ///< SIGTERM, later SIGKILL, to those that are due: the program and its children
    void kill_all();

    bool is_empty() const { return servers_.empty(); }

private:
    struct Server {
        SessionName session;
        IpAddress client;
        std::optional<Clock::time_point> due; ///< of the next signal; none: its session lives
        bool is_terminated = false;           ///< has got SIGTERM
    };
    void end_soon(Server& server, std::chrono::seconds grace);

    SharedCounters& counters_;
    std::map<pid_t, Server> servers_;
    bool is_our_end_ = false;
};

} // namespace safetp::supervisor
