// The parts of a session whose cost is counted one by one. Each is one operation, prepared once and then repeated.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace safetp::bench {

struct Part {
    std::string name;
    std::function<std::function<void()>()> prepare; ///< gives the operation; may take its time
};

/// Runs `work`. What an operation does outside is not SafeTP's (the other end's TLS, say): callgrind counts this function only.
void measured(const std::function<void()>& work);

std::vector<Part> access_parts();
std::vector<Part> dialogue_parts();
std::vector<Part> stream_parts();

} // namespace safetp::bench
