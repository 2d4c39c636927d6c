// The raw ftpds that `safetpd serve` knows: which is on this machine, and how each is told to share one directory with one
// one-off login.
#pragma once

#include "base/result.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::bin {

enum class FtpdKind { vsftpd, proftpd, pure_ftpd, unknown };

struct Ftpd {
    FtpdKind kind = FtpdKind::unknown;
    std::string path;
};

/// What is to be shared with whom.
struct Share {
    std::string directory;         ///< absolute, without links
    std::string private_directory; ///< ours alone; configuration files go here
    int private_descriptor = -1;   ///< the same, open: by it they are written
    std::string user;              ///< login, see login_name()
    std::string password;
    uid_t uid = 0;                 ///< whose rights the files are served with
    gid_t gid = 0;
    std::string account;           ///< the name of uid
    bool is_root = false;
};

/// `wanted` as given (recognised by its name), or, if empty, the best one found: first those that keep to the directory and can
/// write there. Passes over what somebody else could have put in its place. bad_file: none, or one that cannot do it here.
Result<Ftpd> find_ftpd(const std::string& wanted, bool is_root);

std::string login_name(FtpdKind kind);

/// Writes the configuration and gives the command to start for each session.
Result<std::vector<std::string>> configure(const Ftpd& ftpd, const Share& share);

/// Whether the login reaches more than the directory: then the screen must say so.
bool is_confined(const Ftpd& ftpd, const Share& share);

} // namespace safetp::bin
