// dialogue-faults: puts each fault of faults.txt into the dialogue, and searches until it is found. Ends with 1 if one was not.
#include "report.h"
#include "seeded.h"

#include <atomic>
#include <cstdio>
#include <string_view>

namespace safetp::explore {

namespace {

thread_local std::string_view tried;

struct Fault {
    std::string_view name;
    std::string_view configuration;
};

constexpr Fault kFaults[] = {
#include "faults.inc"
};

} // namespace

bool is_seeded(const char* fault) { return tried == fault; }

Seeded::Seeded(std::string_view fault) { tried = fault; }

Seeded::~Seeded() { tried = {}; }

} // namespace safetp::explore

int main()
{
    namespace explore = safetp::explore;
    std::atomic<unsigned> missed = 0;
    explore::run_side_by_side(std::size(explore::kFaults), 2, [&missed](std::size_t i) {
        const auto& [name, configuration] = explore::kFaults[i];
        const explore::Seeded seeded(name);
        const auto found = explore::first_finding(configuration);
        missed += found ? 0 : 1;
        std::printf("%-48s %-20s %s\n", name.data(), configuration.data(),
            found ? (found->property + ": " + found->what).c_str() : "NOT FOUND");
        std::fflush(stdout);
    });
    return missed == 0 ? 0 : 1;
}
