// The connect(2) calls of a watched command: which of them belong to FTP sessions, and how they are led to us instead.
#pragma once

#include "base/ip_address.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>

namespace safetp::client {

/// What is ours of all that a command connects with.
struct Concern {
    std::set<std::uint16_t> ports;       ///< of FTP servers
    std::set<std::uint16_t> other_ports; ///< of something else for certain; of all others it has to be found out
    /// Where a data connection is awaited that goes to this place as far as its program knows. Programs differ in whether they
    /// take the address from the server's reply, from the socket, or the one that they have dialled: here all are right.
    std::function<std::optional<Endpoint>(const Endpoint& target)> data_place_for;
};

/// One that is ours, by TCP; its thread waits for answer().
struct ConnectCall {
    enum class Kind { server, data, unknown };
    Kind kind = Kind::server;
    std::uint64_t id = 0;
    Endpoint target;
    UniqueFd socket; ///< the program's own (pidfd_getfd(2)): what is done to it is done to the program's
    std::optional<Endpoint> data_place{}; ///< of a data connection

    bool is_blocking() const;
    std::optional<IpAddress> source() const; ///< the address that the program has chosen for its own end
};

/// Takes one waiting call off `calls`, which poll(2) says is readable. Whatever is no TCP connection of our concern goes on as
/// if nobody had watched, and nothing is returned; so it is where the caller is gone. A process that cannot be looked into
/// (PR_SET_DUMPABLE, no descriptors left) gets EACCES: its connection may be one that must not go out in clear.
/// system_call: `calls` is of no use any more.
Result<std::optional<ConnectCall>> next_connect(int calls, const Concern& concern);

/// The value of the program's errno, or 0.
void answer(int calls, std::uint64_t id, int error);

struct LedHere {
    UniqueFd fd;   ///< our end; -1: not connected
    Endpoint peer; ///< the program's end
    int error = 0; ///< what the program is to be told: EINPROGRESS goes with a connection too, where its socket does not block
};

/// Connects the program's socket with us over loopback, in the family that it expects. Nobody else can come in between. Takes
/// no longer than a few seconds, and that only where a firewall drops what goes over loopback.
LedHere lead_here(const ConnectCall& call);

/// Connects the program's socket with its data_place; gives what answer() takes.
int lead_to_data_place(const ConnectCall& call);

} // namespace safetp::client
