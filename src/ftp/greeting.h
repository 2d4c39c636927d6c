// A server's greeting, and by what it is known again: the words of its 220 without those that differ from session to session.
#pragma once

#include "ftp/reply.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace safetp::ftp {

class Greeting {
public:
    void on_line(std::string_view line); ///< without its end; ignored once it is complete

    bool is_complete() const { return code_ != 0; } ///< preliminary replies (120) are waited through
    bool is_welcome() const { return code_ == 220; }
    const std::string& text() const { return text_; } ///< its lines with LF

    /// Of a greeting that is complete; never 0. Times, dates, numbers (process, users, port) and addresses do not count:
    /// servers put them into each greeting anew. The program's name and version do.
    std::uint64_t fingerprint() const;

private:
    ReplyReader reader_;
    std::string text_;
    int code_ = 0;
};

} // namespace safetp::ftp
