// The cases' JSON form, one object a line: see README.md.
#pragma once

#include "case.h"

#include <expected>
#include <string>

namespace safetp::conformance {

/// The error is a sentence that says what is wrong with the line.
std::expected<Case, std::string> parse_case(const std::string& line);

/// One line, without its end. Texts that are not UTF-8 are written with each byte as the character of its number, and the tag
/// "bytes" says so.
std::string print_case(const Case& subject);

} // namespace safetp::conformance
