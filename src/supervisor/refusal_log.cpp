#include "supervisor/refusal_log.h"

#include <algorithm>
#include <utility>

namespace safetp::supervisor {

std::optional<unsigned> RefusalLog::take_line(Clock::time_point now)
{
    const Clock::time_point next = std::max(due_, now) + kEach;
    if (next > now + kAtOnce * kEach) {
        ++left_out_;
        return {};
    }
    due_ = next;
    return std::exchange(left_out_, 0);
}

} // namespace safetp::supervisor
