// Starting coroutines, and waiting for those that were started.
#pragma once

#include "net/asio.h"

#include <string_view>

namespace safetp::net {

/// Lets every other task that is ready go first: for loops whose peer may never let them wait.
Task<> yield(Executor executor);

/// Until `timer` has expired or was cancelled. It must outlive the wait.
Task<> wait(Timer& timer);

/// Of such a loop: one yield in a few steps is enough, for each asks the kernel what else is ready.
class Turn {
public:
    bool is_over() { return ++steps_ % kSteps == 0; }

private:
    static constexpr unsigned kSteps = 16;
    unsigned steps_ = 0;
};

/// Something that one coroutine waits for and others announce. An announcement is kept until somebody has waited for it.
class Event {
public:
    explicit Event(const Executor& executor) : timer_(executor, Clock::time_point::max()) {}

    void notify()
    {
        is_set_ = true;
        timer_.cancel();
    }
    Task<> wait(); ///< one waiter at a time
    Task<bool> wait_until(Clock::time_point limit); ///< the same; false: it was too late

private:
    Timer timer_;
    bool is_set_ = false;
};

/// The coroutines that borrow from one frame: that frame must not end before `all_done`.
class TaskGroup {
public:
    explicit TaskGroup(const Executor& executor) : executor_(executor), changed_(executor) {}
    TaskGroup(const TaskGroup&) = delete;

    /// `name` must be a literal. An exception that escapes the task is logged; it never leaves the event loop.
    void spawn(std::string_view name, Task<> task);
    Task<> all_done();
    unsigned running() const { return running_; }

private:
    Executor executor_;
    Event changed_;
    unsigned running_ = 0;
};

} // namespace safetp::net
