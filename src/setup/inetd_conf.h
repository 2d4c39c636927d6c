// inetd.conf(5) as openbsd-inetd and inetutils-inetd read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

/// One service line, also one that update-inetd(8) has switched off ("#<off># ftp stream ...").
struct InetdLine {
    unsigned number = 0;   ///< of its first physical line
    std::size_t begin = 0; ///< in the text
    std::size_t end = 0;   ///< behind its last character, line end not included
    std::string text;      ///< as it stands there
    bool is_enabled = true;
    std::string address; ///< as written before the service ("192.0.2.1", "[::1]"), or set by a line that is only an
                         ///< address; empty or "*": all
    bool has_own_address = false;
    std::string service;     ///< a name of services(5), or a port
    std::string socket_type; ///< stream, dgram ...
    std::string protocol;    ///< tcp, tcp4, tcp6 ...
    std::string wait;
    std::string user;                   ///< user, user.group or user:group
    std::string program;                ///< a path, or "internal"
    std::vector<std::string> arguments; ///< [0] is argv[0]; empty where none is given

    bool is_tcp() const { return socket_type == "stream" && protocol.starts_with("tcp"); }
};

std::vector<InetdLine> parse_inetd_conf(std::string_view text);

/// The line as it is to be written, fields divided by blanks: for lines that are new or changed.
std::string to_text(const InetdLine& line);

/// As update-inetd(8) switches a line off, so that it can switch it on again. Continuations too.
std::string switched_off(const InetdLine& line);

} // namespace safetp::setup
