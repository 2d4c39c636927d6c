#include "process/sandbox.h"

#ifdef SAFETP_SANITIZED

namespace safetp::process {
Result<void> enter_sandbox(SystemCalls) { return {}; }
} // namespace safetp::process

#else

#include <cerrno>
#include <fcntl.h>
#include <initializer_list>
#include <linux/sockios.h>
#include <memory>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::process {

namespace {

struct Allowed {
    int call;
    const char* reason;
};

constexpr Allowed kAllowed[] = {
    // waiting: the event loop
    {SCMP_SYS(epoll_create1), "event loop"},
    {SCMP_SYS(epoll_ctl), "event loop"},
    {SCMP_SYS(epoll_wait), "event loop"},
    {SCMP_SYS(epoll_pwait), "event loop"},
    {SCMP_SYS(epoll_pwait2), "event loop"},
    {SCMP_SYS(poll), "Asio waits for a single socket"},
    {SCMP_SYS(ppoll), "the same"},
    {SCMP_SYS(eventfd2), "event loop's wake-up"},
    {SCMP_SYS(timerfd_create), "event loop's timers"},
    {SCMP_SYS(timerfd_settime), "event loop's timers"},
    {SCMP_SYS(timerfd_gettime), "event loop's timers"},
    // sockets; which ones may be made is limited below
    {SCMP_SYS(accept), "clients"},
    {SCMP_SYS(accept4), "clients"},
    {SCMP_SYS(bind), "passive data ports; source address of active data connections"},
    {SCMP_SYS(listen), "passive data ports"},
    {SCMP_SYS(connect), "raw ftpd, active data connections"},
    {SCMP_SYS(getsockname), "which address the client reached"},
    {SCMP_SYS(getpeername), "who the client is"},
    {SCMP_SYS(getsockopt), "SO_ERROR after connect, TCP_INFO"},
    {SCMP_SYS(setsockopt), "keepalive, no delay, linger, congestion control"},
    {SCMP_SYS(shutdown), "half-close"},
    {SCMP_SYS(close), "end of connections"},
    {SCMP_SYS(read), "connections"},
    {SCMP_SYS(readv), "connections"},
    {SCMP_SYS(recvfrom), "connections"},
    {SCMP_SYS(recvmsg), "connections; descriptors from the supervisor"},
    {SCMP_SYS(write), "connections, log on stderr, xferlog"},
    {SCMP_SYS(writev), "connections"},
    {SCMP_SYS(sendto), "connections; syslogd"},
    {SCMP_SYS(sendmsg), "connections, requests to the supervisor"},
    {SCMP_SYS(pipe2), "splice between plain connections"},
    {SCMP_SYS(splice), "the same"},
    {SCMP_SYS(fstat), "the C library looks at a descriptor"},
    {SCMP_SYS(newfstatat), "the same, with an empty path; paths lead into the empty root"},
    // memory; never executable, see below
    {SCMP_SYS(brk), "malloc"},
    {SCMP_SYS(munmap), "malloc"},
    {SCMP_SYS(mremap), "malloc"},
    {SCMP_SYS(madvise), "malloc"},
    {SCMP_SYS(futex), "C++ run time, OpenSSL's locks"},
    // time, randomness, identity
    {SCMP_SYS(clock_gettime), "where the vDSO cannot answer"},
    {SCMP_SYS(clock_getres), "the same"},
    {SCMP_SYS(gettimeofday), "the same"},
    {SCMP_SYS(clock_nanosleep), "short pauses"},
    {SCMP_SYS(nanosleep), "short pauses"},
    {SCMP_SYS(getrandom), "TLS"},
    {SCMP_SYS(getpid), "syslogd, OpenSSL's fork check"},
    {SCMP_SYS(gettid), "abort"},
    {SCMP_SYS(getuid), "OpenSSL asks whether it is set-user-id"},
    {SCMP_SYS(geteuid), "the same"},
    {SCMP_SYS(getgid), "the same"},
    {SCMP_SYS(getegid), "the same"},
    {SCMP_SYS(sched_yield), "C++ run time"},
    {SCMP_SYS(sysinfo), "the C library sizes its buffers"},
    {SCMP_SYS(restart_syscall), "the kernel, after a stop"},
    // signals and the end
    {SCMP_SYS(rt_sigaction), "SIGPIPE off, abort"},
    {SCMP_SYS(rt_sigprocmask), "abort"},
    {SCMP_SYS(rt_sigreturn), "return from a handler"},
    {SCMP_SYS(sigaltstack), "run-time support"},
    {SCMP_SYS(exit), "the end"},
    {SCMP_SYS(exit_group), "the end"},
};

/// No bug of ours makes these calls: whoever does is not us any more.
constexpr int kDeadly[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(chroot), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(unshare),
    SCMP_SYS(setns), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(io_uring_setup), SCMP_SYS(memfd_create), SCMP_SYS(personality), SCMP_SYS(setuid), SCMP_SYS(setgid),
    SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups),
};

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};

class Filter {
public:
    Filter() : filter_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {}

    void allow(int call) { note(seccomp_rule_add_array(filter_.get(), SCMP_ACT_ALLOW, call, 0, nullptr)); }
    void allow_if(int call, std::initializer_list<scmp_arg_cmp> conditions)
    {
        note(seccomp_rule_add_array(
            filter_.get(), SCMP_ACT_ALLOW, call, static_cast<unsigned>(conditions.size()), conditions.begin()));
    }
    void kill(int call) { note(seccomp_rule_add_array(filter_.get(), SCMP_ACT_KILL_PROCESS, call, 0, nullptr)); }
    Result<void> load()
    {
        if (filter_ != nullptr && error_ == 0)
            note(seccomp_load(filter_.get()));
        if (filter_ == nullptr || error_ != 0)
            return fail(ErrorCode::system_call, filter_ == nullptr ? ENOMEM : error_, "seccomp");
        return {};
    }

private:
    void note(int result)
    {
        if (result < 0 && error_ == 0)
            error_ = -result;
    }
    std::unique_ptr<void, ReleaseFilter> filter_;
    int error_ = 0;
};

constexpr scmp_arg_cmp equal(unsigned argument, scmp_datum_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }

constexpr scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value)
{
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void allow_by_argument(Filter& filter)
{
    // TCP only: the low bits below SOCK_NONBLOCK and SOCK_CLOEXEC name the type, and 0 is what the type stands for. SCTP, MPTCP
    // and others have the same type.
    for (const scmp_datum_t family : {scmp_datum_t{AF_INET}, scmp_datum_t{AF_INET6}})
        for (const scmp_datum_t protocol : {scmp_datum_t{0}, scmp_datum_t{IPPROTO_TCP}})
            filter.allow_if(SCMP_SYS(socket), {equal(0, family), masked(1, 0xf, SOCK_STREAM), equal(2, protocol)});
    for (const scmp_datum_t request : {scmp_datum_t{SIOCOUTQ}, scmp_datum_t{SIOCINQ}, scmp_datum_t{FIONBIO}})
        filter.allow_if(SCMP_SYS(ioctl), {equal(1, request)});
    for (const scmp_datum_t command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ})
        filter.allow_if(SCMP_SYS(fcntl), {equal(1, command)});
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
        filter.allow_if(call, {masked(2, PROT_EXEC, 0)});
    filter.allow_if(SCMP_SYS(prlimit64), {equal(2, 0)}); // reading limits
    filter.allow_if(SCMP_SYS(tgkill), {equal(0, static_cast<scmp_datum_t>(::getpid()))}); // abort
}

} // namespace

Result<void> enter_sandbox([[maybe_unused]] SystemCalls calls)
{
    Filter filter;
    for (const Allowed& entry : kAllowed)
        filter.allow(entry.call);
    allow_by_argument(filter);
    for (const int call : kDeadly)
        filter.kill(call);
    return filter.load();
}

} // namespace safetp::process

#endif
