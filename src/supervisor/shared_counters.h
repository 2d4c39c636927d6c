// Who is let in, by numbers that all workers see: in memory that is made before the first fork (a memfd, MAP_SHARED) and passed
// on to the program that takes our place, whose workers count on where ours stand. Only atomics, no locks. Each process writes
// only its own row; when it dies the row is cleared, so a crash never leaks a count.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <sys/types.h>

namespace safetp::supervisor {

class SharedCounters {
public:
    static constexpr unsigned kRows = 1024;       ///< for workers of all programs that share the memory
    static constexpr unsigned kSupervisors = 32;  ///< programs that share it
    static constexpr unsigned kMaxWorkers = 512;  ///< of one program, draining generations included

    static Result<SharedCounters> make();
    /// The predecessor's. supervisor: not ours to use: another layout, or no room for us among the older programs' rows.
    static Result<SharedCounters> take_over(UniqueFd memory);
    SharedCounters(SharedCounters&&) noexcept;
    SharedCounters& operator=(SharedCounters&&) = delete;
    ~SharedCounters();

    int descriptor() const { return memory_.get(); } ///< what take_over() gets in the successor

    std::uint64_t next_session_number(); ///< 1, 2, 3 ... over all workers, generations and upgrades

    /// A counted session; leaves when it is destroyed.
    class Place {
    public:
        Place(Place&& other) noexcept;
        Place& operator=(Place&&) = delete;
        ~Place();
        /// Somebody has logged in: the place among those without a login is free, and what the connection rate took is
        /// given back. Once is enough.
        void log_in();

    private:
        friend SharedCounters;
        Place(SharedCounters& counters, unsigned row, const IpAddress& client, const config::Rate& rate)
            : counters_(&counters), row_(row), client_(client), rate_(rate)
        {
        }
        SharedCounters* counters_; ///< null: moved from
        unsigned row_;
        IpAddress client_;
        config::Rate rate_;
        bool is_logged_in_ = false;
    };

    enum class Refusal { sessions, client, startups, rate }; ///< which limit the session would have passed

    /// Counts a session of the worker with this row in. Clients are counted by keyed hashes of the address and, of IPv6, the
    /// networks around it (/64, /56, /48, with growing limits): two that collide share a limit, none escapes it. A started raw
    /// ftpd counts like the session that it was started for, and until it has ended.
    std::expected<Place, Refusal> admit(unsigned row, const IpAddress& client, const config::Limits& limits);

    /// Supervisor: a raw ftpd for this client. False: it would be one too many, since others still end.
    bool add_server(const IpAddress& client, const config::Limits& limits);
    void remove_server(const IpAddress& client);

    /// Supervisor: a row for a worker that is to be forked. None: all are in use.
    std::optional<unsigned> claim_row();
    void hold_row(unsigned row);             ///< in the worker: it lasts as long as this process
    void clear_row(unsigned row, pid_t worker); ///< supervisor, after its worker's end
    void clear_rows_of_the_dead();           ///< supervisor: those of a predecessor that can clear none any more

    unsigned sessions() const;
    unsigned sessions_of(unsigned row) const;
    unsigned startups() const; ///< sessions without a login

private:
    struct Page;
    SharedCounters(Page* page, UniqueFd memory) : page_(page), memory_(std::move(memory)) {}
    Result<void> claim_supervisor_row();
    void leave(unsigned row, const IpAddress& client, bool is_startup);
    std::optional<Refusal> limit_passed(const IpAddress& client, const config::Limits& limits) const;
    bool take_connection(const IpAddress& client, const config::Rate& rate);
    void give_connection_back(const IpAddress& client, const config::Rate& rate, std::size_t levels);

    Page* page_;
    UniqueFd memory_;
    unsigned supervisor_row_ = 0;
};

const char* to_string(SharedCounters::Refusal refusal); ///< for the log: "too many sessions from one client"
const char* reply_to(SharedCounters::Refusal refusal);  ///< for the client, a whole line that begins with 421

} // namespace safetp::supervisor
