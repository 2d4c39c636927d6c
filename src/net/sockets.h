// Opening TCP connections: listen in a port range, accept, connect.
#pragma once

#include "base/ip_address.h"
#include "base/unique_fd.h"
#include "net/channel.h"

#include <optional>

namespace safetp::net {

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0; ///< included; 0 to 0: the kernel chooses
};

/// A non-blocking listener on `address`. Ports are tried in random order (a predictable port could be taken by a stranger);
/// none outside the range is ever used: no_free_port.
Result<UniqueFd> listen_in_range(const IpAddress& address, PortRange range);

struct Accepted {
    UniqueFd fd; ///< -1: nothing is waiting
    Endpoint peer;
};
/// Non-blocking. Connections that died in the queue are passed over; EMFILE and the like are errors.
Result<Accepted> try_accept(int listener);

/// Whether the two ends of a connection are on one machine. It then never meets a network, and what the system has chosen for
/// networks costs it more than the bytes do: BBR's timers and pauses. Such a connection goes without (tcp(7), TCP_CONGESTION).
enum class Reach : std::uint8_t { anywhere, this_machine };
Reach reach_between(const IpAddress& here, const IpAddress& there);
void set_reach(int listener, Reach reach); ///< for the connections that it will accept

/// A connection to `target`, from `source` where one is given. Its time limit is the caller's: it closes `attempt`'s channel.
/// The channel is put into `place` before the first wait, so that the caller can.
Task<Result<void>> connect(std::optional<Channel>& place, Executor executor, Endpoint target, std::optional<IpAddress> source,
    Reach reach = Reach::anywhere);

/// TCP keepalive (tcp(7)): first probe after `idle_seconds`, then every quarter of it, four times.
void enable_keepalive(int fd, int idle_seconds);
void disable_nagle(int fd);
/// What has been received is acknowledged now, not up to 40 ms later (tcp(7), TCP_QUICKACK; it does not last). A peer that has
/// Nagle's algorithm on holds its next words back until then.
void acknowledge_at_once(int fd);
/// Whoever closes it, this process or the kernel when the process ends, its peer sees RST and not FIN, which would mean the end
/// of a file. shutdown(2) sends FIN all the same.
void reset_on_close(int fd, bool is_on);
/// Urgent data stays in its place in the stream, as telnet's Synch needs it (RFC 959 section 3.1.3, RFC 1123 section 4.1.2.12).
void keep_urgent_data_inline(int fd);
/// Bytes written that the peer's kernel has not acknowledged, FIN included (SIOCOUTQ).
std::size_t unacknowledged_bytes(int fd);
int pending_error(int fd); ///< an errno, once; 0: none (socket(7), SO_ERROR)
/// The connection is over, by RST or after both FINs. SO_ERROR says it only once, SIOCOUTQ never (tcp(7), TCP_INFO).
bool is_connection_over(int fd);

/// From now on this process may bind addresses of other machines, as a transparent proxy does. The kernel wants CAP_NET_RAW.
void stand_in_for_others();

} // namespace safetp::net
