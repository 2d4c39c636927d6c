#include "net/tasks.h"

#include "base/log.h"

#include <asio/post.hpp>
#include <exception>
#include <string>
#include <utility>

namespace safetp::net {

Task<> yield(Executor executor) { co_await asio::post(executor, asio::use_awaitable_t<Executor>{}); }

Task<> wait(Timer& timer)
{
    std::error_code was_cancelled;
    co_await timer.async_wait(into(was_cancelled));
}

Task<> Event::wait()
{
    while (!is_set_) {
        timer_.expires_at(Clock::time_point::max());
        co_await net::wait(timer_);
    }
    is_set_ = false;
}

Task<bool> Event::wait_until(Clock::time_point limit)
{
    while (!is_set_ && Clock::now() < limit) {
        timer_.expires_at(limit);
        co_await net::wait(timer_);
    }
    co_return std::exchange(is_set_, false);
}

namespace {

void log_escaped(std::string_view name, std::exception_ptr exception)
{
    std::string what = "unknown exception";
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& error) {
        what = error.what();
    } catch (...) {
    }
    log::Event(log::Level::error, 0, "internal-error", std::string(name) + " ended by an exception: " + what);
}

} // namespace

void TaskGroup::spawn(std::string_view name, Task<> task)
{
    ++running_;
    asio::co_spawn(executor_, std::move(task), [this, name](std::exception_ptr exception) {
        if (exception)
            log_escaped(name, exception);
        --running_;
        changed_.notify();
    });
}

Task<> TaskGroup::all_done()
{
    while (running_ > 0)
        co_await changed_.wait();
}

} // namespace safetp::net
