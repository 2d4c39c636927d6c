#include "explain/settled_tables.h"

#include <chrono>
#include <thread>

namespace safetp::explain {

wrapper::Snapshot read_settled_tables(
    const wrapper::TablePaths& paths, access::Reading reading, const std::vector<std::string>& daemons)
{
    constexpr std::chrono::seconds kLongestWait{2};
    constexpr std::chrono::milliseconds kPause{50};
    const auto deadline = std::chrono::steady_clock::now() + kLongestWait;
    wrapper::Snapshot snapshot = wrapper::read_tables(paths, reading, daemons);
    while (!snapshot.unsettled.empty() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(kPause);
        snapshot = wrapper::read_tables(paths, reading, daemons);
    }
    return snapshot;
}

} // namespace safetp::explain
