// One line of known_servers. Pure. Internal to client/.
//
//     SERVER:PORT  KEY  FIRST-SEEN  HOW  CERTIFICATE-UNTIL  STATE
//     ftp.example.com:21 SHA256:... 2026-11-23T21:40:00Z first-use 2027-02-01T00:00:00Z secure
//
// KEY and CERTIFICATE-UNTIL may be "-"; STATE is "secure" or "not-yet".
#pragma once

#include "client/pins.h"

#include <string>
#include <string_view>
#include <variant>

namespace safetp::client {

struct CommentLine { }; ///< also an empty line
struct BadLine {
    std::optional<ServerName> server; ///< where the line begins like one of a server: a name, and then a key or "-"
    std::string complaint;
};
using PinLine = std::variant<Pin, CommentLine, BadLine>;

PinLine parse_pin_line(std::string_view line); ///< without the newline
std::string format_pin_line(const Pin& pin);   ///< likewise
std::string format_time(Seconds time);         ///< 2026-11-23T21:40:00Z

extern const std::string_view kPinFileHeader; ///< comment lines for the top of a new file

} // namespace safetp::client
