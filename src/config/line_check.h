// What toml++ 3.3 is not given: fuzzing found text on which its behaviour is undefined. All of it is wrong in
// safetpd.toml anyway, so it is refused beforehand, line by line.
#pragma once

#include <string_view>

namespace safetp::config {

/// Why the library must not see this line of the file (without its line end), or "" where it may:
/// - a bracket at its beginning after which no name begins ("[!"), or characters beyond ASCII outside texts and comments:
///   the library takes for granted that neither occurs;
/// - a text over several lines (three quotes), which no key needs and which would hide from a look at one line where it ends.
std::string_view describe_unfit_line(std::string_view line);

} // namespace safetp::config
