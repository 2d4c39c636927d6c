// How many connections of a worker may stand before the raw ftpd at one time, connected but not yet greeted.
#pragma once

#include "net/tasks.h"

#include <cstddef>
#include <list>
#include <optional>

namespace safetp::proxy {

/// The raw ftpd's accept(2) has a queue that may be short: vsftpd's holds 32. Of a rush of clients more would come than it
/// takes in, and a connection that does not fit may be lost without a word to either end (Linux with SYN cookies: listen(2),
/// tcp(7)): its session would wait in vain for a greeting. So the others wait here, for as long as accepting takes.
class Doorstep {
public:
    /// Of all workers together. Behind servers that take long to greet, as with ident, a place is free again after kPlaceTime:
    /// such a connection has left the queue long since.
    static constexpr std::ptrdiff_t kPlaces = 16;
    static constexpr std::chrono::milliseconds kPlaceTime{100};

    Doorstep(const net::Executor& executor, std::ptrdiff_t places, std::chrono::milliseconds place_time = kPlaceTime)
        : executor_(executor), places_(places), place_time_(place_time)
    {
    }
    Doorstep(const Doorstep&) = delete;

    /// Free again when it is destroyed, which must be before the Doorstep is.
    class Place {
    public:
        explicit Place(Doorstep& doorstep);
        Place(const Place&) = delete;
        ~Place();

    private:
        Doorstep& doorstep_;
        std::list<net::Clock::time_point>::iterator until_;
    };

    bool has_room() const;
    net::Task<> wait_for_room(); ///< kPlaceTime at most: then look again

private:
    const net::Executor executor_;
    const std::ptrdiff_t places_;
    const std::chrono::milliseconds place_time_;
    std::list<net::Clock::time_point> taken_; ///< until when each place counts, the earliest first
    std::list<net::Event*> waiting_;          ///< the first to be told comes first
};

} // namespace safetp::proxy
