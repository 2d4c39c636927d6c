// Faults that are put into a copy of the dialogue, one at a time: seed_faults.py, faults.txt.
#pragma once

#include <string_view>

namespace safetp::explore {

bool is_seeded(const char* fault); ///< whether it is the one that this thread tries

/// While it lives this thread tries `fault`.
class Seeded {
public:
    explicit Seeded(std::string_view fault);
    ~Seeded();
    Seeded(const Seeded&) = delete;
};

} // namespace safetp::explore
