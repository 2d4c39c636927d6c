// Replies of the raw ftpd (RFC 959 section 4.2, RFC 1123 section 4.1.2.11): framing only, line by line, so that a reply of
// many megabytes passes through without being held.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::ftp {

/// One line of a reply, made safe to pass on: no CR, no NUL inside.
struct ReplyLine {
    int code = 0;          ///< the code of the whole reply, 100 to 599
    bool is_first = false;
    bool is_last = false;
    std::string text;      ///< the whole line as sent, code included, without its end
};

class ReplyReader {
public:
    /// Nothing: the line is no reply at all where one must begin (not "ddd", "ddd " or "ddd-" with 1yz to 5yz).
    std::optional<ReplyLine> read(std::string_view line);
    bool is_inside() const { return code_ != 0; } ///< between the first and the last line of a multi-line reply

private:
    int code_ = 0;
};

inline bool is_preliminary(int code) { return code < 200; }
inline bool is_positive(int code) { return code >= 200 && code < 300; }
inline bool is_negative(int code) { return code >= 400; }

} // namespace safetp::ftp
