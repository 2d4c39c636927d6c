#include "supervisor/resolver.h"

#include "base/log.h"
#include "process/child.h"
#include "process/records.h"
#include "supervisor/messages.h"

#include <cerrno>
#include <csignal>
#include <sys/wait.h>

namespace safetp::supervisor {

using std::chrono::steady_clock;

void Resolver::configure(const config::Access& config, const process::IdentityChange& identity)
{
    stop();
    settings_.lookup_time = config.lookup_time;
    settings_.cache_time = config.cache_time;
    identity_ = identity;
    identity_.root.clear(); // the name service reads /etc
}

Result<UniqueFd> Resolver::open_line()
{
    auto line = process::make_channel();
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
    auto started = process::start_helper({.role = kResolverRole, .text = encode(settings_), .identity = identity_});
    if (!started)
        return std::unexpected(started.error());
    pid_ = started->pid;
    control_ = std::move(started->channel);
    started_ = steady_clock::now();
    log::Event(log::Level::debug, 0, "resolver-start", "looking names up in a process of its own").with("pid", pid_);
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
