// Signals, and what they begin: the end, a reload, a successor. What is to be done when, life_cycle.h decides.
#include "base/log.h"
#include "supervisor/exit_codes.h"
#include "supervisor/service.h"

#include <csignal>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace safetp::supervisor {

namespace {

constexpr std::chrono::seconds kFinishGrace{5};
constexpr int kLastNoticesMs = 1000; ///< for a service manager that is behind

std::optional<Cause> cause_of(int signal)
{
    switch (signal) {
    case SIGHUP: return Cause::reload;
    case SIGTERM: return Cause::term;
    case SIGINT:
    case SIGQUIT: return Cause::interrupt;
    case SIGUSR1: return Cause::reopen;
    case SIGUSR2: return Cause::upgrade;
    default: return {};
    }
}

} // namespace

void Service::read_signals()
{
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
        auto cause = cause_of(static_cast<int>(signal.ssi_signo));
        // serve: there is no file to load again; its terminal is gone, and so is who would end it
        if (cause == Cause::reload && source_.prepared)
            cause = Cause::term;
        const bool is_of_daemon = cause == Cause::reload || cause == Cause::upgrade;
        if (cause && !(is_of_daemon && (is_inetd() || source_.prepared)))
            on(*cause);
    }
    reap(); // always: several SIGCHLD may have become one
}

void Service::listen_to_neighbours()
{
    while (predecessor_) {
        const auto word = predecessor_.hear();
        if (const auto cause = word ? cause_of(*word) : std::nullopt)
            on(*cause, From::predecessor);
        if (!predecessor_)
            on(Cause::predecessor_gone, From::predecessor);
        if (!word)
            break;
    }
    while (successor_ && successor_->line) {
        const auto word = successor_->line.hear();
        const bool is_gone = !successor_->line;
        if (const auto cause = word ? cause_of(*word) : std::nullopt)
            on(*cause, From::successor);
        if (is_gone)
            on(Cause::successor_gone, From::successor);
        if (!word)
            break;
    }
}

void Service::on(Cause cause, From from)
{
    for (const Step step : life_.on(cause))
        take(step, cause, from);
}

void Service::take(Step step, Cause cause, From from)
{
    switch (step) {
    case Step::start_successor: return start_successor();
    case Step::end_successor: return end_successor();
    case Step::hand_over: return hand_over();
    case Step::begin_serving: return begin_serving();
    case Step::reload: return reload();
    case Step::reopen: return reopen_xferlog();
    case Step::finish: return finish();
    case Step::end_now: return end_now();
    case Step::pass_on: return pass_on(cause, from);
    case Step::pass_reload: return successor_->line.say(Neighbour::Word::reload);
    case Step::say_under_way: return say_upgrade_failed("the one before is still under way");
    case Step::say_replaced: return say_upgrade_failed("another process serves already, which is to be asked");
    case Step::say_successor_failed: return say_upgrade_failed("the new program did not start, this one goes on");
    case Step::say_successor_late:
        return say_upgrade_failed(fmt::format(
            "the new program was not ready after {} s and was ended, this one goes on", config().timeouts.upgrade.count()));
    case Step::say_left_alone:
        exit_code_ = kExitFailure;
        return say_upgrade_failed("the program that was to be replaced has ended, so this one ends too");
    }
}

/// Workers are there. A successor waits for its predecessor, which may have been told to end meanwhile.
void Service::be_ready()
{
    if (predecessor_)
        predecessor_.say(Neighbour::Word::ready);
    else
        begin_serving();
}

void Service::begin_serving()
{
    is_main_process_ = true;
    if (const auto written = pid_file_.write(); !written)
        log::Event(log::Level::error, 0, "pid-file", describe(written.error()));
    manager_.tell(fmt::format("READY=1\nMAINPID={}\nSTATUS=Running", ::getpid()));
}

void Service::start_successor()
{
    auto started = Successor::start(program_, prepared_.listeners.all(), counters_.descriptor());
    if (!started) {
        on(Cause::successor_not_started);
        return say_upgrade_failed("this program goes on: " + describe(started.error()));
    }
    successor_ = *std::move(started);
    successor_->deadline = Clock::now() + config().timeouts.upgrade;
    log::Event(log::Level::notice, 0, "upgrade", "starting " + program_).with("pid", successor_->pid);
}

void Service::end_successor()
{
    successor_->kill();
    successor_.reset();
}

void Service::hand_over()
{
    log::Event(log::Level::notice, 0, "upgrade", "the new program serves; this one ends with its last session")
        .with("pid", successor_->pid);
    pid_file_.leave_to_successor();
    // In this order: the manager listens to the main process only.
    manager_.tell(fmt::format("MAINPID={}", successor_->pid));
    is_main_process_ = false;
    successor_->line.say(Neighbour::Word::handed_over);
    respawns_.clear();
    prepared_.listeners.close_all();
    table_.drain_older_than(generation_number_ + 1);
}

void Service::pass_on(Cause cause, From from)
{
    const auto word = word_for(cause);
    if (word && from != From::predecessor)
        predecessor_.say(*word);
    if (word && from != From::successor && successor_)
        successor_->line.say(*word);
}

void Service::say_upgrade_failed(const std::string& why) { log::Event(log::Level::error, 0, "upgrade-failed", why); }

void Service::reopen_xferlog()
{
    auto opened = open_xferlog(config().log.xferlog);
    if (!opened) {
        log::Event(log::Level::error, 0, "xferlog-problem", "the old file stays open: " + describe(opened.error()));
        return;
    }
    prepared_.xferlog = std::move(*opened);
    if (prepared_.xferlog)
        table_.send_all({NoticeKind::reopen_log, 0, 0, 0}, prepared_.xferlog.get());
}

void Service::finish()
{
    const auto drain = config().timeouts.drain;
    log::Event(log::Level::notice, 0, "stop", "stopping; transfers under way may go on").with("seconds", drain.count());
    if (is_main_process_)
        manager_.tell("STOPPING=1\nSTATUS=Waiting for transfers under way");
    finish_deadline_ = Clock::now() + drain + kFinishGrace;
    respawns_.clear();
    prepared_.listeners.close_all(); // new clients are refused by the kernel, not left waiting
    table_.send_all({NoticeKind::finish, 0, 0, static_cast<std::uint32_t>(drain.count())});
    servers_.on_our_end();
}

void Service::end_now()
{
    if (is_main_process_)
        manager_.tell("STOPPING=1");
    respawns_.clear();
    table_.kill_all();
    servers_.kill_all();
}

/// A manager that is only behind gets what waits for it; one that reads nothing holds nobody up.
void Service::send_last_notices()
{
    pollfd room{manager_.descriptor(), POLLOUT, 0};
    if (room.fd >= 0 && ::poll(&room, 1, kLastNoticesMs) > 0)
        manager_.send_pending();
}

/// Who was told to end waits for those before it in the chain: a service manager takes the end of the main process for that of
/// all, and kills the rest.
bool Service::has_ended() const
{
    if (!table_.is_empty() || !respawns_.empty())
        return false;
    return life_.stage() == Stage::ending || (!predecessor_ && servers_.is_empty());
}

} // namespace safetp::supervisor
