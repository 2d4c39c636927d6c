// What a worker process gets at its birth, all of it inherited through fork: nothing is serialised.
#pragma once

#include "base/unique_fd.h"
#include "config/config.h"
#include "ftp/line_limits.h"
#include "supervisor/announced_names.h"
#include "supervisor/shared_counters.h"
#include "tls/context.h"

#include <memory>
#include <string>
#include <vector>

namespace safetp::supervisor {

/// One configuration with everything that was opened for it. Immutable.
struct Generation {
    config::Config config;
    std::vector<tls::ServerContext> contexts; ///< one per config listener, same order
    std::shared_ptr<ftp::LineLimits> line_limits; ///< in memory that its workers share; null where nothing is measured
};

struct ListeningSocket {
    int fd = -1;              ///< listening and non-blocking; the worker's own copy, closed when it stops accepting
    std::size_t listener = 0; ///< index into config.listeners
};

struct WorkerStart {
    const Generation& generation;
    const AnnouncedNames& announced_names; ///< as at its birth: NoticeKind::announced_name says what changes
    SharedCounters& counters;
    unsigned slot;                          ///< row in the counters
    std::vector<ListeningSocket> listeners; ///< empty under -s
    UniqueFd supervisor;                    ///< SOCK_SEQPACKET: Request out, Notice in
    UniqueFd xferlog;                       ///< -1: none
    UniqueFd only_client;                   ///< -s: the one control connection to serve, then return
};

/// The worker's whole life, after privileges were given up: returns its exit status. Defined in worker.cpp.
int run_worker(WorkerStart start);

} // namespace safetp::supervisor
