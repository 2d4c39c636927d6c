// Moves bytes from one plain socket to another inside the kernel, through a pipe: splice(2). None of them is copied to us.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "tls/stream.h"

#include <cstddef>

namespace safetp::net {

/// One chunk at a time: fill, then drain until is_empty. The sockets must be non-blocking.
class SplicePipe {
public:
    static Result<SplicePipe> make(); ///< errors: system_call, where descriptors or the user's share of pipe memory run out

    tls::IoStep try_fill(int from); ///< only while empty; steps as of Stream::try_read
    tls::IoStep try_drain(int to);  ///< only while not empty; steps as of Stream::try_write
    bool is_empty() const { return held_ == 0; }

private:
    UniqueFd out_;
    UniqueFd in_;
    std::size_t held_ = 0;
};

} // namespace safetp::net
