// Who else may change what a path leads to: as sshd's StrictModes looks at it, and along every symbolic link.
#pragma once

#include <optional>
#include <string>

namespace safetp::config {

/// Walks from / to `path` through every link, and says what is wrong with the first place on the way that somebody else than
/// root and the caller may change, as in "/srv/ftp may be written by everybody: chmod o-w /srv/ftp". Empty: nothing, or there
/// is no such file, which is for others to say. What is written in a sticky directory is its owner's. A group may write into a
/// directory where it has no members but root and the caller, as Debian's staff in /usr/local.
///
/// The last part, where it is no directory, must not be its group's either.
std::optional<std::string> find_distrust(const std::string& path);

} // namespace safetp::config
