// What a user's URL says: which server, how TLS begins, who logs in, which file. The URL itself is read by libcurl.
#pragma once

#include "client/server_name.h"

#include <optional>
#include <string>

namespace safetp::client {

struct FtpUrl {
    ServerName server;
    bool is_implicit = false;              ///< ftps://: TLS from the first byte; ftp://: AUTH TLS before anything else
    std::string user{};                    ///< decoded; empty: none
    std::optional<std::string> password{}; ///< decoded
    std::string address{};                 ///< the URL without user and password
    std::string file_name{};               ///< decoded, behind the last slash; empty: a directory

    /// ftp[s]://[USER[:PASSWORD]@]HOST[:PORT]/PATH (RFC 1738 section 3.2). bad_address says what is wrong with it.
    static Result<FtpUrl> parse(const std::string& text);
    /// The same directory, and in it the file `name`, which is encoded; an empty name: this URL as a directory.
    Result<FtpUrl> with_file(const std::string& name) const;
};

} // namespace safetp::client
