// What to say of a key that does not exist: the nearest one, the section it belongs in, or our name for another program's key.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace safetp::config {

/// The end of a message about the unknown `key` in `section` ("" is the top level, "data.announce_for" an inner table):
/// `: did you mean "port"?`. `known` is known_keys().
std::string suggest(std::string_view key, std::string_view section, std::span<const std::string> known);

/// Our name for a key of vsftpd, ProFTPD, Pure-FTPd or of a container image: `that is "passive_ports" in [data]`. Case does
/// not matter.
std::optional<std::string> explain_foreign_name(std::string_view key);

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
std::size_t edit_distance(std::string_view left, std::string_view right);

} // namespace safetp::config
