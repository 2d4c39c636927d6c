#include "supervisor/service.h"

#include "base/log.h"
#include "supervisor/exit_codes.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <utility>

namespace safetp::supervisor {

namespace {

constexpr std::chrono::seconds kLookAtCertificates{5};
constexpr std::chrono::seconds kFinishGrace{5};

/// CLOCK_MONOTONIC in microseconds, as sd_notify(3) wants it with RELOADING=1.
std::uint64_t monotonic_usec()
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count());
}

std::string describe_end(int status)
{
    if (WIFSIGNALED(status))
        return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
    return fmt::format("ended with status {}", WEXITSTATUS(status));
}

void log_problems(const std::vector<config::Problem>& problems)
{
    for (const config::Problem& problem : problems) {
        const bool is_error = problem.severity == config::Problem::Severity::error;
        log::Event(is_error ? log::Level::error : log::Level::warning, 0, "config-problem", problem.to_string());
    }
}

void say_reload_failed(const std::string& why)
{
    log::Event(log::Level::error, 0, "reload-failed", "reload failed, the old configuration stays: " + why);
    ::sd_notifyf(0, "READY=1\nSTATUS=Reload failed, the old configuration stays: %s", why.c_str());
}

} // namespace

Service::Service(
    ConfigSource source, SharedCounters& counters, Prepared prepared, PidFile& pid_file, UniqueFd only_client)
    : source_(std::move(source))
    , prepared_(std::move(prepared))
    , pid_file_(pid_file)
    , only_client_(std::move(only_client))
    , is_inetd_(only_client_)
    , counters_(counters)
    , table_(counters)
    , servers_(counters)
    , tables_([this](const TableAnswer& answer) { give_tables(answer); })
{
}

int Service::run()
{
    take_signals();
    configure_access();
    names_.configure(prepared_.announced_names, prepared_.identity);
    if (const auto started = start_workers(); !started) {
        log::Event(log::Level::error, 0, "start-problem", describe(started.error()));
        end_now(started.error().os_error == EPERM ? kExitNoPermission : kExitFailure);
    }
    certificates_.start(look_at_certificates());
    next_look_ = Clock::now() + kLookAtCertificates;
    std::uint64_t watchdog_usec = 0;
    if (::sd_watchdog_enabled(0, &watchdog_usec) > 0)
        watchdog_ = std::chrono::microseconds(watchdog_usec / 2);
    next_watchdog_ = Clock::now() + watchdog_;
    if (!is_inetd() && state_ == State::running)
        tell_that_we_serve();
    while (!table_.is_empty() || !respawns_.empty() || (!servers_.is_empty() && state_ != State::ending))
        wait_and_handle();
    if (!is_inetd())
        log::Event(log::Level::notice, 0, "stop", "safetpd stopped");
    return exit_code_;
}

void Service::tell_that_we_serve()
{
    ::sd_notifyf(0, "READY=1\nMAINPID=%d\nSTATUS=Running", static_cast<int>(::getpid()));
    if (predecessor_)
        [[maybe_unused]] const ssize_t told = ::write(predecessor_.get(), "", 1); // gone meanwhile: then nobody waits
    predecessor_.reset();
}

void Service::take_signals()
{
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int signal : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD})
        ::sigaddset(&wanted, signal);
    ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGCHLD, SIG_DFL); // an ignored one, inherited, would reap our children before we see them
    signals_.reset(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
}

Result<void> Service::start_workers()
{
    const unsigned count = is_inetd() ? 1 : worker_count(config());
    delays_.assign(count, {});
    respawns_.clear();
    Result<void> all;
    for (unsigned index = 0; index < count; ++index) {
        if (auto started = start_worker(index); !started) {
            respawns_.push_back({index, Clock::now() + RespawnDelay::kLongest});
            all = std::move(started);
        }
    }
    return all;
}

Result<void> Service::start_worker(unsigned index)
{
    const unsigned count = static_cast<unsigned>(delays_.size());
    WorkerOrder order{.generation = *prepared_.generation, .announced_names = prepared_.announced_names,
        .identity = prepared_.identity, .listeners = prepared_.listeners.for_worker(index, count),
        .not_for_worker = prepared_.listeners.others(index, count), .xferlog = prepared_.xferlog.get(),
        .only_client = std::move(only_client_), .index = index, .generation_number = generation_number_};
    for (const int fd : tables_.descriptors())
        order.not_for_worker.push_back(fd);
    for (const int fd : {counters_.descriptor(), signals_.get(), predecessor_.get(), successor_ ? successor_->ready_fd() : -1,
             resolver_.descriptor(), names_.descriptor()}) {
        if (fd >= 0)
            order.not_for_worker.push_back(fd);
    }
    return table_.start(std::move(order));
}

void Service::wait_and_handle()
{
    std::vector<pollfd> entries{{signals_.get(), POLLIN, 0}};
    for (const Worker& worker : table_.workers())
        entries.push_back({worker.channel.get(), POLLIN, 0}); // -1 is skipped by poll(2)
    const std::size_t workers_end = entries.size();
    if (successor_)
        entries.push_back({successor_->ready_fd(), POLLIN, 0});
    entries.push_back({names_.descriptor(), POLLIN, 0});
    ::poll(entries.data(), entries.size(), milliseconds_to_next_task());
    for (std::size_t i = 1; i < workers_end; ++i) {
        // Handlers add and remove no worker: that is done below, when nothing of `entries` is looked at any more.
        if (entries[i].revents != 0)
            serve_requests(table_.workers()[i - 1]);
    }
    read_signals();
    look_at_successor();
    run_due_tasks();
}

int Service::milliseconds_to_next_task() const
{
    Clock::time_point next = next_look_;
    for (const Respawn& respawn : respawns_)
        next = std::min(next, respawn.due);
    if (state_ == State::finishing)
        next = std::min(next, finish_deadline_);
    if (watchdog_.count() > 0)
        next = std::min(next, next_watchdog_);
    next = std::min(next, tables_.deadline().value_or(next));
    next = std::min(next, servers_.deadline().value_or(next));
    if (looks_names_up())
        next = std::min(next, names_.deadline().value_or(next));
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
}

void Service::run_due_tasks()
{
    const Clock::time_point now = Clock::now();
    if (watchdog_.count() > 0 && now >= next_watchdog_) {
        ::sd_notify(0, "WATCHDOG=1");
        next_watchdog_ = now + watchdog_;
    }
    if (state_ == State::finishing && now >= finish_deadline_) {
        log::Event(log::Level::warning, 0, "stop", "sessions or their raw ftpds did not end in time and are cut off");
        end_now(exit_code_);
    }
    tables_.on_deadline(now);
    servers_.on_deadline(now);
    if (looks_names_up())
        tell_addresses(names_.look(now));
    if (now >= next_look_) {
        next_look_ = now + kLookAtCertificates;
        counters_.clear_rows_of_the_dead();
        if (state_ == State::running && !is_inetd() && certificates_.has_changed(look_at_certificates()))
            reload_certificates();
    }
    for (std::size_t i = 0; i < respawns_.size();) {
        if (now < respawns_[i].due) {
            ++i;
            continue;
        }
        const unsigned index = respawns_[i].index;
        respawns_.erase(respawns_.begin() + static_cast<std::ptrdiff_t>(i));
        if (const auto started = start_worker(index); !started) {
            log::Event(log::Level::error, 0, "worker-start", describe(started.error()));
            respawns_.push_back({index, now + RespawnDelay::kLongest});
        }
    }
}

void Service::read_signals()
{
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal)
        act_on(signal);
    reap(); // always: several SIGCHLD may have become one
}

void Service::act_on(const signalfd_siginfo& signal)
{
    switch (signal.ssi_signo) {
    case SIGHUP:
        if (source_.prepared)
            return finish(); // serve: there is no file to load again; its terminal is gone, and so is who would end it
        if (state_ == State::running && !is_inetd())
            reload();
        return;
    case SIGUSR1: return reopen_xferlog();
    case SIGUSR2:
        if (state_ == State::running && !is_inetd() && !source_.prepared)
            upgrade();
        return;
    case SIGTERM: return finish();
    case SIGINT:
    case SIGQUIT: return end_now(exit_code_);
    default: return;
    }
}

void Service::reap()
{
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
        on_child_end(pid, status);
}

void Service::on_child_end(pid_t pid, int status)
{
    if (servers_.on_child_end(pid)) {
        log::Event(log::Level::debug, 0, "server-end", "started raw ftpd " + describe_end(status)).with("pid", pid);
        return;
    }
    if (on_helper_end(pid, status))
        return;
    if (const auto dead = table_.remove(pid)) {
        servers_.on_worker_end(pid, config().timeouts.server_end);
        on_worker_end(*dead, status);
    }
}

void Service::on_worker_end(const Worker& dead, int status)
{
    const bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (is_inetd()) {
        if (exit_code_ == kExitOk)
            exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : kExitFailure;
        return;
    }
    const bool is_expected = dead.is_killed_for_room || (is_clean && (dead.is_draining || state_ != State::running));
    if (is_expected || state_ == State::ending) {
        log::Event(log::Level::debug, 0, "worker-end", "worker " + describe_end(status)).with("pid", dead.pid);
        return;
    }
    log::Event(log::Level::error, 0, "worker-crash", "worker " + describe_end(status) + "; its sessions are lost")
        .with("pid", dead.pid);
    if (dead.is_draining || dead.generation != generation_number_ || state_ != State::running)
        return;
    const auto lifetime = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - dead.started);
    respawns_.push_back({dead.index, Clock::now() + delays_[dead.index].next(lifetime)});
}

void Service::reload()
{
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", static_cast<unsigned long long>(monotonic_usec()));
    config::Loaded loaded = load_and_check(source_, config::NameService::left_alone);
    log_problems(loaded.problems);
    if (!loaded.is_usable())
        return say_reload_failed("the new one has errors");
    auto next = prepare(std::move(loaded.config), Listening::yes, &prepared_, {});
    if (!next)
        return say_reload_failed(next.error().text);
    log::open(next->config().log.options);
    switch_to(std::move(*next));
}

void Service::reload_certificates()
{
    auto next = prepare(config(), Listening::yes, &prepared_, {});
    if (!next) {
        log::Event(log::Level::error, 0, "certificate-problem",
            "the changed certificate files cannot be used, the old ones stay: " + next.error().text);
        return;
    }
    log::Event(log::Level::notice, 0, "certificate-change", "certificate files have changed");
    switch_to(std::move(*next));
}

void Service::switch_to(Prepared next)
{
    prepared_ = std::move(next);
    ++generation_number_;
    configure_access();
    names_.configure(prepared_.announced_names, prepared_.identity);
    if (prepared_.xferlog) // older workers go on for a while: not in the file that was rotated away
        table_.send_all({NoticeKind::reopen_log, 0, 0, 0}, prepared_.xferlog.get());
    certificates_.start(look_at_certificates());
    kill_until_free(worker_count(config()));
    if (const auto started = start_workers(); !started)
        log::Event(log::Level::error, 0, "worker-start", describe(started.error()));
    table_.drain_older_than(generation_number_);
    end_oldest_until_free(worker_count(config()));
    log::Event(log::Level::notice, 0, "reload", "new configuration in force").with("generation", generation_number_);
    ::sd_notifyf(0, "READY=1\nSTATUS=Running, generation %u", generation_number_);
}

void Service::tell_addresses(const std::vector<std::size_t>& changed)
{
    if (!changed.empty())
        prepared_.announced_names = names_.names(); // for workers to come
    for (const std::size_t place : changed) {
        const auto& [name, addresses] = names_.names()[place];
        log::Event(log::Level::notice, 0, "announced-name", "the announced name has a new address").with("name", name)
            .with("address", addresses.front());
        const auto bytes = std::bit_cast<std::uint32_t>(addresses.front().ipv4_bytes());
        for (Worker& worker : table_.workers()) {
            if (worker.generation == generation_number_) // an older one may number other names
                table_.send(worker, {NoticeKind::announced_name, static_cast<std::uint32_t>(place), 0, bytes});
        }
    }
}

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

void Service::upgrade()
{
    if (successor_)
        return;
    auto started = Successor::start(program_, prepared_.listeners.all(), counters_.descriptor());
    if (!started) {
        log::Event(log::Level::error, 0, "upgrade-failed", "this program goes on: " + describe(started.error()));
        return;
    }
    successor_ = *std::move(started);
    log::Event(log::Level::notice, 0, "upgrade", "starting " + program_).with("pid", successor_->pid());
}

void Service::look_at_successor()
{
    if (!successor_)
        return;
    const Successor::State seen = successor_->look();
    if (seen == Successor::State::starting)
        return;
    const pid_t pid = successor_->pid();
    successor_.reset();
    if (seen == Successor::State::failed) {
        log::Event(log::Level::error, 0, "upgrade-failed", "the new program did not start, this one goes on").with("pid", pid);
        if (const auto written = pid_file_.write(); !written)
            log::Event(log::Level::error, 0, "upgrade-failed", describe(written.error()));
        return;
    }
    if (state_ != State::running)
        return; // told to stop in the meantime
    log::Event(log::Level::notice, 0, "upgrade", "the new program serves; this one ends with its last session")
        .with("pid", pid);
    ::sd_notifyf(0, "MAINPID=%d", static_cast<int>(pid));
    state_ = State::replaced;
    pid_file_.leave_to_successor();
    respawns_.clear();
    prepared_.listeners.close_all();
    table_.drain_older_than(generation_number_ + 1);
}

void Service::finish()
{
    if (state_ != State::running && state_ != State::replaced)
        return;
    const auto drain = config().timeouts.drain;
    log::Event(log::Level::notice, 0, "stop", "stopping; transfers under way may go on").with("seconds", drain.count());
    ::sd_notify(0, "STOPPING=1\nSTATUS=Waiting for transfers under way");
    state_ = State::finishing;
    finish_deadline_ = Clock::now() + drain + kFinishGrace;
    respawns_.clear();
    prepared_.listeners.close_all(); // new clients are refused by the kernel, not left waiting
    table_.send_all({NoticeKind::finish, 0, 0, static_cast<std::uint32_t>(drain.count())});
    servers_.on_our_end();
}

void Service::end_now(int exit_code)
{
    ::sd_notify(0, "STOPPING=1");
    exit_code_ = exit_code;
    state_ = State::ending;
    respawns_.clear();
    table_.kill_all();
    servers_.kill_all();
}

std::vector<FileStamp> Service::look_at_certificates() const
{
    std::vector<FileStamp> stamps;
    for (const std::string& file : watched_files(config()))
        stamps.push_back(look_at(file));
    return stamps;
}

} // namespace safetp::supervisor
