// What a worker may say to its supervisor and back: fixed structs over a SOCK_SEQPACKET pair, one message a packet. The
// supervisor checks each against the configuration, never against what the worker claims; a malformed one ends the worker.
#pragma once

#include <array>
#include <cstdint>

namespace safetp::supervisor {

enum class RequestKind : std::uint32_t {
    start_server = 1, ///< start the raw ftpd on a connected loopback socket; the answer carries our end
    start_server_for, ///< the same with Facts: as the options of the rule that they lead to want it (setenv, umask, nice)
    tables,           ///< the access tables, of which the worker holds `version` (0: none); see NoticeKind::answer
    resolver,         ///< a line to the process that looks names up; the answer carries our end (resolver_protocol.h)
    run_command,      ///< with Facts: run the command (spawn, aclexec) that they lead to; the answer has its exit status
    twist,            ///< with Facts and the client's connection, which the command that they lead to gets
    system_log,       ///< a new connection to syslogd, which was started anew; the answer carries it
    session_end,      ///< `session` is over, and its raw ftpd has to end; nothing is answered
};

/// What the worker claims of a session serves for counting only: one that was taken over could as well count wrong.
struct Request {
    RequestKind kind;
    std::uint32_t id = 0; ///< chosen by the worker, given back in the answer
    std::uint64_t version = 0;
    std::uint64_t session = 0;     ///< start_server, start_server_for, session_end: its number; 0: no client's
    std::uint64_t is_logged_in = 0; ///< session_end: somebody had logged in
    std::array<std::uint8_t, 16> client{}; ///< start_server, start_server_for: IPv6, or IPv4 mapped into it
};

/// What an evaluation of tables rested on. Texts end with NUL. No result is in it: whoever acts on it comes to the result by
/// itself, from the tables, so that a worker that was taken over can have nothing done but what the administrator wrote.
struct Facts {
    static constexpr std::uint32_t kMaxAnswers = 64;

    std::uint64_t version; ///< of the tables
    char daemon[64];
    char client_address[64];
    char server_address[64];
    std::uint16_t client_port;
    std::uint16_t server_port;
    std::int32_t process_id;
    std::uint32_t is_name_known; ///< client_name was known before the evaluation began (paranoid = "always")
    char client_name[512];
    char server_name[512];
    char client_user[128];
    std::uint32_t answer_count;
    std::uint8_t answers[kMaxAnswers]; ///< to netgroups and commands, in order
};

enum class NoticeKind : std::uint32_t {
    answer = 1,   ///< to Request `id`: os_error 0 and one descriptor, or the errno. tables: `version` too; no descriptor where
                  ///< the worker has them already. run_command: `value` is the exit status, twist: nothing
    drain = 2,    ///< accept no more; end when the sessions have ended
    finish = 3,   ///< drain, but sessions without a transfer end now (421), the others after `value` seconds at the latest
    reopen_log = 4, ///< the descriptor is the new xferlog
    announced_name = 5, ///< the announced name with the number `id` has the IPv4 address now whose bytes `value` are
};

struct Notice {
    NoticeKind kind;
    std::uint32_t id;
    std::int32_t os_error;
    std::uint32_t value;
    std::uint64_t version = 0;
};

} // namespace safetp::supervisor
