// Before a client side knows which server is wanted: the client is greeted by us, may ask what asks nothing of a server, and
// names it with its USER (user@host[:port], the habit of FTP proxies since the 1990s). Pure: a line in, a reply or a name out.
#pragma once

#include "ftp/command.h"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::ftp {

/// What "USER anna@ftp.example.com:2121" asks for. Neither part is empty.
struct ProxyUser {
    std::string user;   ///< may hold @ itself: the last one divides
    std::string server; ///< HOST, HOST:PORT or [IPV6]:PORT as typed, not looked at yet
};
std::optional<ProxyUser> parse_proxy_user(std::string_view argument);

class Reception {
public:
    explicit Reception(unsigned max_bad_commands) : max_bad_commands_(max_bad_commands) {}

    static std::string greeting(); ///< "220 ...\r\n"

    struct Answer {
        std::string reply{};             ///< one whole reply with CRLF; empty with `wanted`
        std::optional<ProxyUser> wanted{}; ///< the client has named its server
        bool is_over = false;            ///< after the reply the connection is to be closed
    };
    Answer on_line(std::string_view line);
    Answer on_line_too_long();
    /// The name that was wanted cannot be one. `why` is the rest of a sentence.
    Answer on_bad_name(std::string_view why);

private:
    Answer answer(const Command& command);
    Answer refuse(std::string reply);

    unsigned max_bad_commands_;
    unsigned bad_commands_ = 0;
};

} // namespace safetp::ftp
