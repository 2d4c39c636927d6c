// The host names that 227 replies announce, looked up again and again: behind many a NAT the address changes. A child without
// privileges reads what name servers say, and a dead one holds nobody up.
#pragma once

#include "base/ip_address.h"
#include "base/unique_fd.h"
#include "process/child.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace safetp::supervisor {

/// Each host name with its IPv4 addresses: 227 replies have room for nothing else. The first is announced.
using AnnouncedNames = std::vector<std::pair<std::string, std::vector<IpAddress>>>;

inline constexpr std::chrono::seconds kLookupLimit{5}; ///< for all names together

/// For the start and a reload. A name that `previous` knows keeps what that has of it (NameWatch will ask again); for the
/// others the name service is asked, and waited for until `limit`. A name without an answer is logged: workers announce the
/// address that the client has reached.
AnnouncedNames resolve_announced(const std::vector<std::string>& hosts, const AnnouncedNames& previous,
    const process::IdentityChange& identity, std::chrono::milliseconds limit = kLookupLimit);

/// Takes over what has changed, and gives the places in `names` where another address is announced now. A name without an
/// answer keeps its addresses; one with several, which come in any order, keeps the one it has as long as that is among them.
std::vector<std::size_t> take_over(const AnnouncedNames& answer, AnnouncedNames& names);

inline constexpr const char* kAnnouncedNamesRole = "announced names";
int announced_names_main(process::Helper& helper);

/// One question under way, in a helper process.
class NameLookup {
public:
    /// Of a name. Whoever has taken the helper over, or a name server, must not fill our memory.
    static constexpr std::size_t kMostAddresses = 100;

    NameLookup(const std::vector<std::string>& hosts, process::IdentityChange identity); ///< no answer without one
    NameLookup(const std::vector<std::string>& hosts, UniqueFd answers); ///< somebody else answers, over a channel
    NameLookup(const NameLookup&) = delete;
    ~NameLookup();

    int descriptor() const { return in_.get(); } ///< readable: call read()
    bool read();                                 ///< does not block; true: nothing more will come
    const AnnouncedNames& answer() const { return names_; }
    bool on_child_end(pid_t pid);                ///< true: it was this one

private:
    UniqueFd in_;
    pid_t child_ = -1;
    AnnouncedNames names_;
};

class NameWatch {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kInterval{60};
    static constexpr std::chrono::seconds kIntervalWhileUnknown{2}; ///< as after a start before the network is there

    void configure(AnnouncedNames names, const process::IdentityChange& identity);
    const AnnouncedNames& names() const { return names_; }

    std::optional<Clock::time_point> deadline() const; ///< when look() is due at the latest
    int descriptor() const { return lookup_ ? lookup_->descriptor() : -1; }
    std::vector<std::size_t> look(Clock::time_point now); ///< asks, or takes an answer; the places as of take_over()
    bool on_child_end(pid_t pid) { return lookup_ && lookup_->on_child_end(pid); }

private:
    void note_failures(const AnnouncedNames& answer);

    AnnouncedNames names_;
    process::IdentityChange identity_;
    std::set<std::string> failing_; ///< and that was said
    std::optional<NameLookup> lookup_;
    Clock::time_point due_;
};

} // namespace safetp::supervisor
