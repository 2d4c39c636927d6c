// /proc/net/tcp and tcp6 (proc(5)): who listens on this machine.
#pragma once

#include "base/ip_address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace safetp::setup {

struct SocketLine {
    Endpoint endpoint; ///< the local one; "::" takes IPv4 too, as a rule
    std::uint64_t inode = 0;
};

struct SocketLines {
    std::vector<SocketLine> listening; ///< state LISTEN
    std::vector<SocketLine> connected; ///< state ESTABLISHED
};

/// The lines of one of the two files.
SocketLines parse_sockets(std::string_view text);

/// A process that holds a listening socket.
struct Owner {
    pid_t pid = 0;
    std::string name;    ///< comm
    std::string program; ///< path; empty: not to be seen
    std::vector<std::string> arguments{};
    bool is_session = false; ///< it has a connection too: what an FTP session listens on is a data port
};

struct Listener {
    Endpoint endpoint;
    std::vector<Owner> owners; ///< empty: not to be seen (not root), or in another container
};

/// Those of our network namespace, with the processes that hold them.
std::vector<Listener> find_listeners();

} // namespace safetp::setup
