// What a worker may say to its supervisor and back: fixed structs over a SOCK_SEQPACKET pair, one message a packet. The
// supervisor checks each against the configuration, never against what the worker claims; a malformed one ends the worker.
#pragma once

#include <cstdint>

namespace safetp::supervisor {

enum class RequestKind : std::uint32_t {
    start_server = 1, ///< start the raw ftpd on a connected loopback socket; the answer carries our end
};

struct Request {
    RequestKind kind;
    std::uint32_t id; ///< chosen by the worker, given back in the answer
};

enum class NoticeKind : std::uint32_t {
    answer = 1,   ///< to Request `id`: os_error 0 and one descriptor, or the errno
    drain = 2,    ///< accept no more; end when the sessions have ended
    finish = 3,   ///< drain, but sessions without a transfer end now (421), the others after `seconds` at the latest
    reopen_log = 4, ///< the descriptor is the new xferlog
};

struct Notice {
    NoticeKind kind;
    std::uint32_t id;
    std::int32_t os_error;
    std::uint32_t seconds;
};

} // namespace safetp::supervisor
