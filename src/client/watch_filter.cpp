#include "client/watch_filter.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <span>
#include <sys/socket.h>

namespace safetp::client {

namespace {

constexpr int kNone = -1;

/// The numbers of one binary interface's system calls.
struct Interface {
    std::uint32_t architecture;
    std::uint32_t number_bits; ///< the others are a mark
    int connect;
    int sendto;
    int sendmsg;
    int sendmmsg;
    int other_sendmsg;  ///< x32 shares its architecture with x86_64, and these two calls have numbers of their own
    int other_sendmmsg;
    int socketcall;
};

constexpr std::uint32_t kAllBits = ~0U;
constexpr std::uint32_t kX32Bit = 0x40000000; // __X32_SYSCALL_BIT
constexpr int kSocketcall = 102;              // on i386
constexpr int kIoUringSetup = 425;            // on every architecture
constexpr int kIoUringEnter = 426;

// Written down, because the headers have only the numbers of the machine that we are built for.
#if defined(__x86_64__)
constexpr std::array kInterfaces{
    Interface{AUDIT_ARCH_X86_64, kAllBits & ~kX32Bit, 42, 44, 46, 307, 518, 538, kNone},
    Interface{AUDIT_ARCH_I386, kAllBits, 362, 369, 370, 345, kNone, kNone, kSocketcall},
};
#elif defined(__aarch64__)
constexpr std::array kInterfaces{
    Interface{AUDIT_ARCH_AARCH64, kAllBits, 203, 206, 211, 269, kNone, kNone, kNone},
    Interface{AUDIT_ARCH_ARM, kAllBits, 283, 290, 296, 374, kNone, kNone, kNone},
};
#else
constexpr std::array<Interface, 0> kInterfaces{};
#endif

using Program = std::vector<sock_filter>;

void load(Program& to, std::size_t offset) { to.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<__u32>(offset))); }

/// The half of an argument that all of these calls look at (little-endian machines).
void load_argument(Program& to, unsigned which) { load(to, offsetof(seccomp_data, args) + which * sizeof(__u64)); }

void answer(Program& to, std::uint32_t action) { to.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }

/// `then`, if what was loaded is `value`.
void when(Program& to, std::uint32_t value, const Program& then)
{
    to.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<__u8>(then.size())));
    to.insert(to.end(), then.begin(), then.end());
}

void when_call(Program& to, int number, const Program& then)
{
    if (number != kNone)
        when(to, static_cast<std::uint32_t>(number), then);
}

Program always(std::uint32_t action)
{
    Program part;
    answer(part, action);
    return part;
}

/// `flags_argument`, counted from 0, has the flags of send(2).
Program without_fast_open(unsigned flags_argument)
{
    Program part;
    load_argument(part, flags_argument);
    part.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MSG_FASTOPEN, 0, 1));
    answer(part, SECCOMP_RET_ERRNO | EOPNOTSUPP);
    answer(part, SECCOMP_RET_ALLOW);
    return part;
}

Program watched_socketcalls()
{
    Program part;
    load_argument(part, 0);
    for (const auto which : {SocketCall::connect, SocketCall::sendto, SocketCall::sendmsg, SocketCall::sendmmsg})
        when(part, static_cast<std::uint32_t>(which), always(SECCOMP_RET_USER_NOTIF));
    answer(part, SECCOMP_RET_ALLOW);
    return part;
}

Program part_for(const Interface& of)
{
    Program part;
    load(part, offsetof(seccomp_data, nr));
    part.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, of.number_bits));
    when_call(part, of.connect, always(SECCOMP_RET_USER_NOTIF));
    when_call(part, of.socketcall, watched_socketcalls());
    when_call(part, of.sendto, without_fast_open(3));
    for (const int number : {of.sendmsg, of.other_sendmsg})
        when_call(part, number, without_fast_open(2));
    for (const int number : {of.sendmmsg, of.other_sendmmsg})
        when_call(part, number, without_fast_open(3));
    for (const int number : {kIoUringSetup, kIoUringEnter})
        when_call(part, number, always(SECCOMP_RET_ERRNO | ENOSYS));
    answer(part, SECCOMP_RET_ALLOW);
    return part;
}

} // namespace

std::vector<sock_filter> make_watch_filter()
{
    if (kInterfaces.empty())
        return {};
    Program program;
    load(program, offsetof(seccomp_data, arch));
    for (const Interface& of : kInterfaces)
        when(program, of.architecture, part_for(of));
    answer(program, SECCOMP_RET_ERRNO | ENOSYS);
    return program;
}

bool is_socketcall(const seccomp_data& call) { return call.arch == AUDIT_ARCH_I386 && call.nr == kSocketcall; }

} // namespace safetp::client
