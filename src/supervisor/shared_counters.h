// Numbers that all workers see: made once before the first fork (MAP_SHARED), only atomics, no locks. Each worker writes only
// its own row; when it dies the supervisor clears the row, so a crash never leaks a count.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"

#include <cstdint>

namespace safetp::supervisor {

class SharedCounters {
public:
    static constexpr unsigned kMaxWorkers = 256; ///< live processes, draining generations included

    static Result<SharedCounters> make();
    SharedCounters(SharedCounters&&) noexcept;
    ~SharedCounters();

    std::uint64_t next_session_number(); ///< 1, 2, 3 ... over all workers and generations

    enum class Admission { admitted, too_many_sessions, too_many_from_client };
    /// Counts a session of this worker in, or says which limit it would pass. Clients are counted by a keyed hash of the
    /// address (IPv6: its /64): two that collide share a limit, none escapes it.
    Admission admit(unsigned worker, const IpAddress& client, unsigned max_sessions, unsigned max_per_client);
    void leave(unsigned worker, const IpAddress& client);
    void clear_worker(unsigned worker); ///< supervisor, after the worker's end
    unsigned sessions() const;

private:
    struct Page;
    explicit SharedCounters(Page* page) : page_(page) {}
    Page* page_;
};

} // namespace safetp::supervisor
