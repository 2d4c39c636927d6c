// What a worker asks of the process that looks names up: fixed structs over a SOCK_SEQPACKET pair, one message a packet.
#pragma once

#include <cstdint>

namespace safetp::supervisor {

enum class LookupKind : std::uint32_t {
    name = 1, ///< the verified name of an address
    netgroup, ///< whether `host` is in `group`
};

struct LookupRequest {
    LookupKind kind;
    std::uint32_t id;          ///< chosen by the worker, given back in the answer
    std::int64_t deadline_ms;  ///< of std::chrono::steady_clock, which all processes share; later nobody waits for the answer
    std::uint32_t is_ipv6;
    std::uint32_t scope;
    std::uint8_t address[16];  ///< IPv4 stands in the first four
    char group[256];           ///< texts end with NUL
    char host[512];
};

struct LookupAnswer {
    std::uint32_t id;
    std::uint32_t is_member;
    char value[512];    ///< a name, "unknown" or "paranoid"
    char warning[1200]; ///< libwrap's words; may be empty
};

} // namespace safetp::supervisor
