// How many lines the log gets about clients that were refused: whoever knocks without end must not fill the disk.
#pragma once

#include <chrono>
#include <optional>

namespace safetp::supervisor {

class RefusalLog {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr unsigned kAtOnce = 20;                       ///< lines in a row; then
    static constexpr std::chrono::milliseconds kEach{500};        ///< another one in this time

    /// Of a refusal now: how many before it got no line, if it gets one.
    std::optional<unsigned> take_line(Clock::time_point now);

private:
    Clock::time_point due_{}; ///< when the lines so far had all been due, one after the other
    unsigned left_out_ = 0;
};

} // namespace safetp::supervisor
