// An FTP command line (RFC 959 section 5.3, RFC 2389 section 2, RFC 1123 section 4.1.2.12): verb and argument.
// One parser for policy and forwarding: what is judged is what is sent on, serialised anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace safetp::ftp {

enum class Verb : std::uint8_t {
    other, ///< passed on unread
    user, pass, acct, quit, rein, host,
    auth, pbsz, prot, ccc, adat, protected_command, ///< MIC, CONF, ENC
    pasv, epsv, port, eprt, third_party,            ///< LPSV, LPRT, SPSV, CPSV, SSCN, ESTA, ESTP: other ways to move data
    retr, list, nlst, mlsd, stor, stou, appe,
    abor, stat, noop, feat, type, mode, stru, syst, help, opts, clnt,
    http,                                           ///< GET, POST ...: a web browser that was sent here
};

enum class Direction : std::uint8_t { download, upload };

struct Command {
    Verb verb = Verb::other;
    std::string name;     ///< upper case
    std::string argument; ///< of names as sent, with all spaces; of parameters (PROT P, TYPE I) without those around it
    bool has_argument = false;

    std::size_t line_bytes() const; ///< of append_line's text, CRLF included
    void append_line(std::string& text) const; ///< "NAME argument\r\n", without a copy that would have to be wiped
    std::string to_line() const;
};

enum class CommandProblem {
    empty,
    nul_or_cr, ///< NUL or CR: they end a line, or a name, with some parsers and not with others
    bad_verb,
    too_long, ///< found by the line buffer
};

/// `line` without its end. Telnet commands in front of the verb are dropped; IAC elsewhere is left alone (names may hold 0xFF).
std::expected<Command, CommandProblem> parse_command(std::string_view line);

/// `line` as it may stand in a log: no argument but those that are known to be no password, "***" in their place.
std::string without_secrets(std::string_view line);

bool is_transfer(Verb verb);
Direction direction_of(Verb verb); ///< only for transfers

} // namespace safetp::ftp
