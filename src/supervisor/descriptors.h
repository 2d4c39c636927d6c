// Which descriptors a process has: none but those that it was meant to have.
#pragma once

#include <vector>

namespace safetp::supervisor {

/// Closes everything from 3 on that is not in `keep`; numbers below 0 count for nothing.
void close_all_but(std::vector<int> keep);

/// What whoever started this process had open and did not mean for us: everything from 3 on but inherited sockets
/// (sd_listen_fds(3)) and the line to a predecessor. Ask first of all, before anything of ours is open.
std::vector<int> find_strange_descriptors();
void close_descriptors(const std::vector<int>& descriptors);

} // namespace safetp::supervisor
