// What no gateway can do without: to receive the bytes once, to seal them once, to send them once. Measured on this machine in
// the same minute, so that a figure can be held against it.
#pragma once

#include <cstdint>

namespace safetp::bench {

struct Floor {
    std::uint64_t bytes = 0;
    double seal_cpu = 0; ///< seconds for AES-256-GCM in records of 16 KiB
    double move_cpu = 0; ///< seconds for one receive and one send over loopback, 512 KiB at a time, the waiting included
};

Floor measure_floor(std::uint64_t bytes); ///< throws std::runtime_error

} // namespace safetp::bench
