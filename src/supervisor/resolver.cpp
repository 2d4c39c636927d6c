#include "supervisor/resolver.h"

#include "base/log.h"
#include "supervisor/landlock.h"
#include "supervisor/messages.h"

#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

using std::chrono::steady_clock;

[[noreturn]] void become_resolver(
    int control, const WorkerIdentity& identity, const ResolverSettings& settings, pid_t supervisor)
{
    static constexpr int kControl = 3;
    static constexpr unsigned kDescriptors = 32; // in drop_privileges' measure, sessions; enough for every thread's sockets
    ::prctl(PR_SET_NAME, "safetpd:names");
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE})
        ::signal(signal, SIG_IGN); // it ends with its supervisor
    const UniqueFd high(::fcntl(control, F_DUPFD_CLOEXEC, 10));
    if (::dup2(high.get(), kControl) < 0 || ::close_range(kControl + 1, ~0u, 0) != 0)
        ::_exit(1);
    if (!drop_privileges(identity, kDescriptors, supervisor))
        ::_exit(2);
    confine_helper(FileAccess::reading, std::nullopt); // the name service decides what it asks
    try {
        run_resolver(UniqueFd(kControl), settings, look_up);
    } catch (const std::exception&) {
        ::_exit(3);
    }
    ::_exit(0);
}

} // namespace

void Resolver::configure(const config::Access& config, const WorkerIdentity& identity)
{
    stop();
    settings_.lookup_time = config.lookup_time;
    settings_.cache_time = config.cache_time;
    identity_ = identity;
    identity_.root.clear(); // the name service reads /etc
}

Result<UniqueFd> Resolver::open_line()
{
    auto line = make_channel();
    if (!line)
        return std::unexpected(line.error());
    auto sent = pass_line(line->first);
    if (!sent && (sent.error().os_error == EPIPE || sent.error().os_error == ECONNRESET)) {
        // It has ended, and the worker that asks saw that before we did: its questions are to go to the next one.
        int status = 0;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status, 0);
        on_child_end(pid_, status);
        sent = pass_line(line->first);
    }
    if (!sent)
        return std::unexpected(sent.error());
    return std::move(line->second);
}

/// To the process that runs, or else to a new one.
Result<void> Resolver::pass_line(const UniqueFd& line)
{
    if (pid_ < 0) {
        if (const auto started = start(); !started)
            return started;
    }
    return send_notice(control_.get(), {NoticeKind::answer, 0, 0, 0}, line.get());
}

Result<void> Resolver::start()
{
    if (steady_clock::now() < not_before_)
        return fail(ErrorCode::supervisor, EAGAIN, "the process that looks names up keeps ending");
    auto control = make_channel();
    if (!control)
        return std::unexpected(control.error());
    const pid_t supervisor = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail(ErrorCode::system_call, errno, "fork of the process that looks names up");
    if (pid == 0)
        become_resolver(control->second.get(), identity_, settings_, supervisor);
    pid_ = pid;
    control_ = std::move(control->first);
    started_ = steady_clock::now();
    log::Event(log::Level::debug, 0, "resolver-start", "looking names up in a process of its own").with("pid", pid);
    return {};
}

bool Resolver::on_child_end(pid_t pid, int status)
{
    if (pid != pid_)
        return false;
    pid_ = -1;
    control_.reset();
    const auto lifetime = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - started_);
    not_before_ = steady_clock::now() + delay_.next(lifetime);
    log::Event(log::Level::error, 0, "resolver-crash", "the process that looks names up has ended").with("pid", pid)
        .with("status", status);
    return true;
}

void Resolver::stop()
{
    if (pid_ < 0)
        return;
    ::kill(pid_, SIGKILL); // it has nothing to lose
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    control_.reset();
}

} // namespace safetp::supervisor
