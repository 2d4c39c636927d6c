// A reload never waits for clients: where old generations' workers leave too little room for new ones, the oldest end.
#include "base/log.h"
#include "supervisor/service.h"

#include <algorithm>
#include <sys/wait.h>

namespace safetp::supervisor {

/// The next reload's room is made by this one: then the sessions that it costs have the time to drain.
void Service::end_oldest_until_free(unsigned rows)
{
    const auto drain = config().timeouts.drain;
    for (const WorkerTable::Ended& ended : table_.finish_oldest(rows, drain)) {
        log::Event(log::Level::warning, 0, "generation-end",
            "the oldest configuration's sessions are ended, transfers after a while: room for the next reload")
            .with("generation", ended.generation).with("workers", ended.workers).with("sessions", ended.sessions)
            .with("seconds", drain.count());
    }
}

/// So many reloads in a row that those who were told to end still do so.
void Service::kill_until_free(unsigned rows)
{
    while (table_.free_rows() < rows) {
        Worker* const oldest = table_.oldest_draining();
        if (oldest == nullptr)
            return; // those that cannot be started now are started later
        log::Event(log::Level::warning, 0, "generation-end", "a worker of the oldest configuration is ended at once: no room")
            .with("generation", oldest->generation).with("pid", oldest->pid)
            .with("sessions", counters_.sessions_of(oldest->row));
        const pid_t pid = oldest->pid;
        oldest->is_killed_for_room = true;
        table_.kill(*oldest);
        int status = 0;
        if (::waitpid(pid, &status, 0) == pid)
            on_child_end(pid, status);
    }
}

} // namespace safetp::supervisor
