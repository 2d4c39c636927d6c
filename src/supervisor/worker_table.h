// The worker processes that live: starting them, telling them something, noticing their end.
#pragma once

#include "supervisor/messages.h"
#include "process/identity.h"
#include "supervisor/worker.h"

#include <chrono>
#include <optional>
#include <vector>

namespace safetp::supervisor {

using Clock = std::chrono::steady_clock;

struct Worker {
    pid_t pid = -1;
    unsigned row = 0;        ///< in the shared counters
    unsigned index = 0;      ///< 0 ... workers-1 within its generation
    unsigned generation = 0;
    UniqueFd channel;        ///< -1 once it broke: the process is being ended
    Clock::time_point started;
    bool is_draining = false;
    bool is_finishing = false;       ///< draining, but not for longer than a while
    bool is_killed_for_room = false;
};

struct WorkerOrder {
    const Generation& generation;
    const AnnouncedNames& announced_names;
    const process::IdentityChange& identity;
    std::vector<ListeningSocket> listeners;
    int xferlog = -1;                ///< borrowed
    int landlock = -1;               ///< borrowed; -1: none
    UniqueFd only_client;
    unsigned index = 0;
    unsigned generation_number = 0;
};

class WorkerTable {
public:
    explicit WorkerTable(SharedCounters& counters) : counters_(counters) {}

    /// Forks, and returns when the child has given up its privileges and entered the sandbox; the child never returns from
    /// here. EAGAIN: all rows are in use, ours or everybody's. EPERM: it could not be confined, and has ended.
    Result<void> start(WorkerOrder order);

    /// Takes the dead worker out and clears its row. Empty: not one of ours.
    std::optional<Worker> remove(pid_t pid);

    /// A worker whose queue is full does not read it any more and is ended.
    void send(Worker& worker, const Notice& notice, int passed_fd = -1);
    void send_all(const Notice& notice, int passed_fd = -1);
    void drain_older_than(unsigned generation);

    struct Ended {
        unsigned generation;
        unsigned workers = 0;
        unsigned sessions = 0;
    };
    /// Tells draining generations, the oldest first, to finish within `time`, until `rows` will be free: what that costs.
    std::vector<Ended> finish_oldest(unsigned rows, std::chrono::seconds time);
    Worker* oldest_draining(); ///< null: none drains

    void kill(Worker& worker);
    void kill_all();

    std::vector<Worker>& workers() { return workers_; }
    bool is_empty() const { return workers_.empty(); }
    unsigned free_rows() const { return SharedCounters::kMaxWorkers - static_cast<unsigned>(workers_.size()); }

private:
    Result<Worker> start_in_row(WorkerOrder order, unsigned row);
    [[noreturn]] void become_worker(WorkerOrder order, unsigned row, UniqueFd channel, UniqueFd confined_writer,
        pid_t supervisor_pid);

    SharedCounters& counters_;
    std::vector<Worker> workers_;
};

} // namespace safetp::supervisor
