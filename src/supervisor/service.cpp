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
        exit_code_ = started.error().os_error == EPERM ? kExitNoPermission : kExitFailure;
        on(Cause::interrupt);
    }
    certificates_.start(look_at_certificates());
    next_look_ = Clock::now() + kLookAtCertificates;
    std::uint64_t watchdog_usec = 0;
    if (::sd_watchdog_enabled(0, &watchdog_usec) > 0)
        watchdog_ = std::chrono::microseconds(watchdog_usec / 2);
    next_watchdog_ = Clock::now() + watchdog_;
    if (!is_inetd() && life_.serves())
        be_ready();
    while (!has_ended())
        wait_and_handle();
    send_last_notices();
    if (!is_inetd())
        log::Event(log::Level::notice, 0, "stop", "safetpd stopped");
    return exit_code_;
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
            if (table_.is_empty())
                return started; // what stops the first of all stops the others too
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
        .xferlog = prepared_.xferlog.get(), .landlock = prepared_.landlock.get(), .only_client = std::move(only_client_),
        .index = index, .generation_number = generation_number_};
    return table_.start(std::move(order));
}

void Service::wait_and_handle()
{
    std::vector<pollfd> entries{{signals_.get(), POLLIN, 0}};
    for (const Worker& worker : table_.workers())
        entries.push_back({worker.channel.get(), POLLIN, 0}); // -1 is skipped by poll(2)
    const std::size_t workers_end = entries.size();
    for (const int fd : {predecessor_.descriptor(), successor_ ? successor_->line.descriptor() : -1, names_.descriptor()})
        entries.push_back({fd, POLLIN, 0});
    entries.push_back({manager_.descriptor(), POLLOUT, 0});
    ::poll(entries.data(), entries.size(), milliseconds_to_next_task());
    for (std::size_t i = 1; i < workers_end; ++i) {
        // Handlers add and remove no worker: that is done below, when nothing of `entries` is looked at any more.
        if (entries[i].revents != 0)
            serve_requests(table_.workers()[i - 1]);
    }
    manager_.send_pending();
    if (life_.stage() == Stage::awaiting)
        listen_to_neighbours(); // a stop that comes after the handing over is for all of the service
    read_signals();
    listen_to_neighbours();
    run_due_tasks();
}

int Service::milliseconds_to_next_task() const
{
    Clock::time_point next = next_look_;
    for (const Respawn& respawn : respawns_)
        next = std::min(next, respawn.due);
    if (life_.stage() == Stage::finishing)
        next = std::min(next, finish_deadline_);
    if (life_.stage() == Stage::upgrading)
        next = std::min(next, successor_->deadline);
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
        if (is_main_process_)
            manager_.tell("WATCHDOG=1");
        next_watchdog_ = now + watchdog_;
    }
    if (life_.stage() == Stage::finishing && now >= finish_deadline_) {
        log::Event(log::Level::warning, 0, "stop", "sessions or their raw ftpds did not end in time and are cut off");
        on(Cause::drain_over);
    }
    if (life_.stage() == Stage::upgrading && now >= successor_->deadline)
        on(Cause::successor_late);
    tables_.on_deadline(now);
    servers_.on_deadline(now);
    if (looks_names_up())
        tell_addresses(names_.look(now));
    if (now >= next_look_) {
        next_look_ = now + kLookAtCertificates;
        counters_.clear_rows_of_the_dead();
        if (life_.serves() && !is_inetd() && certificates_.has_changed(look_at_certificates()))
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
    const bool is_expected = dead.is_killed_for_room || (is_clean && (dead.is_draining || !life_.serves()));
    if (is_expected || life_.stage() == Stage::ending) {
        log::Event(log::Level::debug, 0, "worker-end", "worker " + describe_end(status)).with("pid", dead.pid);
        return;
    }
    log::Event(log::Level::error, 0, "worker-crash", "worker " + describe_end(status) + "; its sessions are lost")
        .with("pid", dead.pid);
    if (dead.is_draining || dead.generation != generation_number_ || !life_.serves())
        return;
    const auto lifetime = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - dead.started);
    respawns_.push_back({dead.index, Clock::now() + delays_[dead.index].next(lifetime)});
}

void Service::reload()
{
    manager_.tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()));
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

void Service::say_reload_failed(const std::string& why)
{
    log::Event(log::Level::error, 0, "reload-failed", "reload failed, the old configuration stays: " + why);
    manager_.tell("READY=1\nSTATUS=Reload failed, the old configuration stays: " + why);
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
    manager_.tell(fmt::format("READY=1\nSTATUS=Running, generation {}", generation_number_));
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

std::vector<FileStamp> Service::look_at_certificates() const
{
    std::vector<FileStamp> stamps;
    for (const std::string& file : watched_files(config()))
        stamps.push_back(look_at(file));
    return stamps;
}

} // namespace safetp::supervisor
