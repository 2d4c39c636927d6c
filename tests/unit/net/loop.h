// An event loop for tests: it runs a coroutine to its end, or until something holds. It waits for events, never for time.
#pragma once

#include "net/tasks.h"

#include <chrono>
#include <exception>
#include <functional>
#include <stdexcept>

namespace safetp::net::test {

inline constexpr std::chrono::seconds kPatience{60}; ///< a safety net only

class Loop {
public:
    Executor executor() { return context_.get_executor(); }

    void run_until(const std::function<bool()>& is_reached)
    {
        const auto deadline = Clock::now() + kPatience;
        while (!is_reached()) {
            context_.restart();
            if (context_.run_one_until(deadline) == 0)
                throw std::runtime_error("the event loop has run dry, or its patience has");
        }
    }

    /// To the task's end. What it throws comes out here.
    void run(Task<> task)
    {
        bool is_done = false;
        std::exception_ptr thrown;
        asio::co_spawn(executor(), std::move(task), [&](std::exception_ptr exception) {
            thrown = exception;
            is_done = true;
        });
        run_until([&] { return is_done; });
        if (thrown)
            std::rethrow_exception(thrown);
    }

    /// All that can happen without waiting.
    void settle()
    {
        context_.restart();
        context_.poll();
    }

private:
    asio::io_context context_;
};

} // namespace safetp::net::test
