// elf(5): the libraries that a program says it needs, read from its dynamic section. Nothing of the program is run, as ldd(1)
// would.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

/// The DT_NEEDED names of a 32- or 64-bit program of this machine's byte order. Empty: statically linked, a script, or damaged.
std::vector<std::string> needed_libraries(std::string_view image);

/// Whether it is linked to libwrap (tcp wrappers).
bool needs_libwrap(std::string_view image);

} // namespace safetp::setup
