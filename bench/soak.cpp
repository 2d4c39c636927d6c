#include "soak.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace safetp::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWorkers = 8;
constexpr std::uint64_t kAbortedBytes = 1 << 20;

/// One thread's share of the sessions. It does one thing at a time, so that many sessions are idle and some are busy.
class Worker {
public:
    Worker(const SoakPlan& plan, std::size_t number)
        : plan_(plan)
        , random_(number)
        , sessions_(plan.sessions / kWorkers + (number < plan.sessions % kWorkers ? 1 : 0))
    {
    }

    void open()
    {
        for (auto& session : sessions_)
            session = plan_.log_in();
    }

    void work_until(Clock::time_point end, const std::atomic<bool>& has_failed)
    {
        while (Clock::now() < end && !has_failed && !sessions_.empty())
            do_something(sessions_[random_() % sessions_.size()]);
    }

    const SoakCounts& counts() const { return counts_; }

private:
    void do_something(std::unique_ptr<FtpsSession>& session)
    {
        const auto chance = random_() % 10;
        if (chance < 3) {
            session->noop();
            ++counts_.noops;
        } else if (chance < 6) {
            session->download(plan_.small_file);
            ++counts_.downloads;
        } else if (chance < 7) {
            session->upload(plan_.upload, plan_.upload_size, "soak");
            ++counts_.uploads;
        } else if (chance < 8) {
            session->abort_download(plan_.large_file, kAbortedBytes);
            ++counts_.aborts;
        } else if (chance < 9) {
            session->quit();
            session = plan_.log_in();
            ++counts_.logins;
        } else {
            session.reset(); // a lost connection: no QUIT, no close_notify
            session = plan_.log_in();
            ++counts_.losses;
        }
    }

    const SoakPlan& plan_;
    std::mt19937_64 random_; // the same choices in every run
    std::vector<std::unique_ptr<FtpsSession>> sessions_;
    SoakCounts counts_;
};

} // namespace

SoakCounts soak(const SoakPlan& plan)
{
    std::atomic<bool> has_failed = false;
    std::mutex mutex;
    std::exception_ptr failure;
    std::vector<Worker> workers;
    for (std::size_t i = 0; i < kWorkers; ++i)
        workers.emplace_back(plan, i);
    std::vector<std::jthread> threads;
    for (Worker& worker : workers) {
        threads.emplace_back([&] {
            try {
                worker.open();
                worker.work_until(Clock::now() + plan.time, has_failed);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!has_failed.exchange(true))
                    failure = std::current_exception();
            }
        });
    }
    threads.clear();
    if (failure)
        std::rethrow_exception(failure);
    SoakCounts all;
    for (const Worker& worker : workers) {
        all.noops += worker.counts().noops;
        all.downloads += worker.counts().downloads;
        all.uploads += worker.counts().uploads;
        all.aborts += worker.counts().aborts;
        all.logins += worker.counts().logins;
        all.losses += worker.counts().losses;
    }
    return all;
}

} // namespace safetp::bench
