#include "config/config.h"

#include <algorithm>

namespace safetp::config {

Startups startups_of(const Limits& limits)
{
    if (limits.startups)
        return *limits.startups;
    constexpr unsigned kFew = 20;
    const unsigned few = std::min(limits.sessions, kFew);
    return {.begin = std::max(limits.sessions / 4, few), .percent = 30, .full = std::max(limits.sessions / 2, few)};
}

} // namespace safetp::config
