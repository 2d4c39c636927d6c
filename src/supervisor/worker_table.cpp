#include "supervisor/worker_table.h"

#include "base/log.h"
#include "process/child.h"
#include "process/records.h"
#include "supervisor/descriptors.h"
#include "supervisor/exit_codes.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr rlim_t kDescriptorsPerSession = 8; ///< two control and two data connections, two listeners, and two in reserve
constexpr rlim_t kDescriptorsOfProcess = 128;

/// Best effort: a kernel may know Landlock and still refuse, where a container is in too many layers of it.
void confine_by_landlock(int ruleset)
{
    if (const auto entered = process::enter_landlock(ruleset); !entered)
        log::Event(log::Level::warning, 0, "landlock", "this worker does without it: " + describe(entered.error()));
    if (ruleset >= 0)
        ::close(ruleset);
}

int run_guarded(WorkerStart start)
{
    try {
        return run_worker(std::move(start));
    } catch (const std::exception& error) {
        log::Event(log::Level::error, 0, "worker-exception", std::string("worker ends: ") + error.what());
        return kExitFailure;
    }
}

/// A byte says that it has given up its privileges, so that nobody is told "ready" before. Without one it has ended.
Result<void> wait_until_confined(pid_t pid, int reader)
{
    static constexpr int kTimeoutMs = 10'000;
    pollfd entry{reader, POLLIN, 0};
    int ready = -1;
    while ((ready = ::poll(&entry, 1, kTimeoutMs)) < 0 && errno == EINTR)
        continue;
    char byte = 0;
    if (ready == 1 && ::read(reader, &byte, 1) == 1)
        return {};
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorCode::system_call, EPERM, "a worker could not be confined; the log says why");
}

} // namespace

Result<void> WorkerTable::start(WorkerOrder order)
{
    const auto row = free_rows() == 0 ? std::nullopt : counters_.claim_row();
    if (!row)
        return fail(ErrorCode::supervisor, EAGAIN, "too many worker processes, draining ones included");
    auto worker = start_in_row(std::move(order), *row);
    if (!worker) {
        counters_.clear_row(*row, 0);
        return std::unexpected(worker.error());
    }
    workers_.push_back(std::move(*worker));
    return {};
}

Result<Worker> WorkerTable::start_in_row(WorkerOrder order, unsigned row)
{
    auto channel = process::make_channel();
    if (!channel)
        return std::unexpected(channel.error());
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail(ErrorCode::system_call, errno, "pipe");
    const UniqueFd confined_reader(ends[0]);
    UniqueFd confined_writer(ends[1]);
    const pid_t supervisor_pid = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail(ErrorCode::system_call, errno, "fork of a worker");
    if (pid == 0) {
        channel->first.reset();
        become_worker(std::move(order), row, std::move(channel->second), std::move(confined_writer), supervisor_pid);
    }
    confined_writer.reset();
    if (const auto confined = wait_until_confined(pid, confined_reader.get()); !confined) {
        counters_.clear_row(row, pid);
        return std::unexpected(confined.error());
    }
    Worker worker{pid, row, order.index, order.generation_number, std::move(channel->first), Clock::now()};
    log::Event(log::Level::debug, 0, "worker-start", "worker started").with("pid", pid).with("generation", worker.generation);
    return worker;
}

void WorkerTable::become_worker(
    WorkerOrder order, unsigned row, UniqueFd channel, UniqueFd confined_writer, pid_t supervisor_pid)
{
    ::prctl(PR_SET_NAME, "safetpd:worker");
    process::reset_signals(process::SignalsToService::ignored); // sessions may still have to drain
    counters_.hold_row(row); // before it sees no /proc
    UniqueFd xferlog(order.xferlog < 0 ? -1 : ::fcntl(order.xferlog, F_DUPFD_CLOEXEC, 3));
    std::vector<int> own{channel.get(), confined_writer.get(), xferlog.get(), order.only_client.get(), order.landlock,
        log::descriptor()};
    for (const ListeningSocket& socket : order.listeners)
        own.push_back(socket.fd);
    close_all_but(std::move(own)); // among them the other workers' channels, and whatever the supervisor has open

    const rlim_t descriptors = kDescriptorsOfProcess + kDescriptorsPerSession * order.generation.config.limits.sessions;
    auto confined = process::drop_privileges(order.identity, descriptors, supervisor_pid);
    confine_by_landlock(order.landlock);
    if (confined)
        confined = process::enter_sandbox(process::SystemCalls::worker);
    if (!confined) {
        log::Event(log::Level::error, 0, "worker-setup", "worker cannot be confined: " + describe(confined.error()));
        ::_exit(kExitNoPermission);
    }
    [[maybe_unused]] const ssize_t told = ::write(confined_writer.get(), "", 1);
    confined_writer.reset();
    // From here on this process opens no file and has no privilege; the next thing it reads comes from the network.
    WorkerStart start{order.generation, order.announced_names, counters_, row, std::move(order.listeners), std::move(channel),
        std::move(xferlog), std::move(order.only_client)};
    ::_exit(run_guarded(std::move(start)));
}

std::optional<Worker> WorkerTable::remove(pid_t pid)
{
    const auto found = std::ranges::find(workers_, pid, &Worker::pid);
    if (found == workers_.end())
        return {};
    Worker dead = std::move(*found);
    workers_.erase(found);
    counters_.clear_row(dead.row, pid);
    return dead;
}

void WorkerTable::send(Worker& worker, const Notice& notice, int passed_fd)
{
    if (!worker.channel)
        return;
    const auto sent = send_notice(worker.channel.get(), notice, passed_fd);
    if (sent || sent.error().os_error == EPIPE || sent.error().os_error == ECONNRESET)
        return; // a broken pipe is a worker that is ending: SIGCHLD says the rest
    log::Event(log::Level::error, 0, "worker-deaf", "worker does not read its messages and is ended: " + describe(sent.error()))
        .with("pid", worker.pid);
    kill(worker);
}

void WorkerTable::send_all(const Notice& notice, int passed_fd)
{
    for (Worker& worker : workers_)
        send(worker, notice, passed_fd);
}

void WorkerTable::drain_older_than(unsigned generation)
{
    for (Worker& worker : workers_) {
        if (worker.generation >= generation || worker.is_draining)
            continue;
        worker.is_draining = true;
        send(worker, {NoticeKind::drain, 0, 0, 0});
    }
}

std::vector<WorkerTable::Ended> WorkerTable::finish_oldest(unsigned rows, std::chrono::seconds time)
{
    std::map<unsigned, std::vector<Worker*>> by_age;
    unsigned soon_free = free_rows();
    for (Worker& worker : workers_) {
        if (!worker.is_draining)
            continue;
        if (worker.is_finishing || counters_.sessions_of(worker.row) == 0)
            ++soon_free;
        else
            by_age[worker.generation].push_back(&worker);
    }
    std::vector<Ended> result;
    for (const auto& [generation, workers] : by_age) {
        if (soon_free >= rows)
            break;
        Ended ended{.generation = generation};
        for (Worker* const worker : workers) {
            ++ended.workers;
            ended.sessions += counters_.sessions_of(worker->row);
            worker->is_finishing = true;
            send(*worker, {NoticeKind::finish, 0, 0, static_cast<std::uint32_t>(time.count())});
        }
        soon_free += ended.workers;
        result.push_back(ended);
    }
    return result;
}

Worker* WorkerTable::oldest_draining()
{
    Worker* oldest = nullptr;
    for (Worker& worker : workers_) {
        const bool is_older = oldest == nullptr || worker.generation < oldest->generation;
        if (worker.is_draining && is_older)
            oldest = &worker;
    }
    return oldest;
}

void WorkerTable::kill(Worker& worker)
{
    ::kill(worker.pid, SIGKILL);
    worker.channel.reset();
}

void WorkerTable::kill_all()
{
    for (Worker& worker : workers_)
        kill(worker);
}

} // namespace safetp::supervisor
