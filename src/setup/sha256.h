// SHA-256 (FIPS 180-4): by which `setup --undo` knows whether a file is still as it was left.
#pragma once

#include <string>
#include <string_view>

namespace safetp::setup {

std::string sha256(std::string_view data); ///< 64 hexadecimal digits, lower case

} // namespace safetp::setup
