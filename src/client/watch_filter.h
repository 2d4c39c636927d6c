// Which system calls of a watched command the kernel hands over to us, and which it refuses: a filter for seccomp(2). Pure.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <vector>

namespace safetp::client {

/// connect(2) is handed over. So are the calls of i386's socketcall(2) that can connect: their arguments lie in memory, where
/// no filter sees them. TCP Fast Open (MSG_FASTOPEN with sendto, sendmsg, sendmmsg) gets EOPNOTSUPP and io_uring ENOSYS: both
/// connect without connect(2), and programs that want them go back to it. Each binary interface of the machine (x86_64, i386,
/// x32; aarch64, arm) has its own part, an unknown one gets ENOSYS for everything. Empty: a machine of which nothing is known.
std::vector<sock_filter> make_watch_filter();

/// Whether a call that was handed over is i386's socketcall(2), and else connect(2).
bool is_socketcall(const seccomp_data& call);

/// socketcall(2)'s first argument, <linux/net.h>.
enum class SocketCall : int { connect = 3, sendto = 11, sendmsg = 16, sendmmsg = 20 };

} // namespace safetp::client
