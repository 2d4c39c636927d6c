// The difference of two texts as diff -u prints it.
#pragma once

#include <string>
#include <string_view>

namespace safetp::setup {

/// Empty where they are equal. `before_name` and `after_name` are what stands behind --- and +++. patch(1) takes it.
std::string unified_diff(
    std::string_view before, std::string_view after, const std::string& before_name, const std::string& after_name);

} // namespace safetp::setup
