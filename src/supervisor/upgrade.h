// Replacing the running program by a new one without losing a connection (SIGUSR2): the new process inherits the listening
// sockets, the old one hands over as soon as the new one is ready, and ends with its last session.
//
// The new process is no child of the old one but, from its first instruction on, of whoever takes orphans (systemd, init): a
// service manager can only wait for children of its own, and looks at whose child it is when it is told MAINPID.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/life_cycle.h"

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::supervisor {

/// The file that this process was started from, absolute: after a package's upgrade the new program lies there. Ask for it at
/// the start, since /proc/self/exe names a file that is gone later on.
std::string program_file();

/// The line to the process before or behind this one: one word a packet, and the end of either process shows as its end.
class Neighbour {
public:
    Neighbour() = default;
    explicit Neighbour(UniqueFd line) : line_(std::move(line)) {}

    explicit operator bool() const { return static_cast<bool>(line_); } ///< false: there is none, or it is gone
    int descriptor() const { return line_.get(); }
    /// Says ready, handed_over, or a cause that is passed on. Does not block; to one that is gone, nothing is said.
    enum class Word : char { ready = 'r', handed_over = 'h', term = 't', interrupt = 'i', reload = 'l', reopen = 'o' };
    void say(Word word);
    std::optional<Word> hear(); ///< does not block; empty: nothing more now, or gone

private:
    UniqueFd line_;
};

std::optional<Neighbour::Word> word_for(Cause cause); ///< empty: not passed on
std::optional<Cause> cause_of(Neighbour::Word word); ///< empty: a word that we do not know

/// The new process.
struct Successor {
    pid_t pid = -1;
    UniqueFd process; ///< pidfd
    Neighbour line;
    std::chrono::steady_clock::time_point deadline; ///< to be ready by then

    /// Starts `program` with this process's own arguments and environment; `sockets` (borrowed) become its inherited sockets as
    /// in sd_listen_fds(3), and it goes on with the memory `counters` (borrowed). Errors: system_call; supervisor as the first
    /// process of a container, which would end with us.
    static Result<Successor> start(const std::string& program, const std::vector<int>& sockets, int counters);
    void kill() const;
};

/// Did another safetpd start this process to take its place?
bool is_successor();

/// What the old one has passed on besides sockets, not taken yet; -1 for what it has not.
std::vector<int> descriptors_of_predecessor();

/// In the new process: the line to the old one. None: there is no old one.
Neighbour take_predecessor();

/// In the new process: the memory of SharedCounters in which the old one's workers count. None: it has given none.
UniqueFd take_counters();

} // namespace safetp::supervisor
