// Whole paths for the transfer log, from what passes between gateway and raw ftpd. Nothing is decided by them. Pure.
#pragma once

#include "ftp/reply.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace safetp::ftp {

/// Knows the working directory from 257 replies to PWD and from CWD, once one of them was absolute; until then, and after a
/// step that a symbolic link may hide (".." out of a directory that the server has not named itself), names stay as they are.
class PathTracker {
public:
    void on_sent(std::string_view lines);        ///< to the raw ftpd: at most one whole line
    void on_server_line(std::string_view line);  ///< without its end

    /// What a transfer is about: the argument of its command, or for STOU the name that the server has chosen and told.
    std::string path_of(std::string_view verb, std::string_view argument) const;

private:
    enum class Asked : std::uint8_t { other, user, pwd, cwd, stou };

    void go_to(std::string_view argument);
    void go_up();
    void take_named(std::string_view reply);

    ReplyReader replies_;
    Asked asked_ = Asked::other;
    std::string argument_;       ///< of CWD
    std::string directory_;      ///< absolute; empty: unknown
    bool is_servers_own_ = false; ///< as a 257 has named it: no link is in it
    std::string chosen_;         ///< by the server, for the last STOU
};

/// RFC 959 appendix II: 257 "PATH" comment, a quote in the path is doubled. Empty: no absolute path.
std::string path_in_257(std::string_view line);

/// "150 FILE: name" (RFC 1123 section 4.1.2.9), or "226 Transfer complete (unique file name:name)." of BSD's ftpd. Empty: none.
std::string name_in_stou_reply(std::string_view line);

} // namespace safetp::ftp
