// Measuring how long a line an FTP server reads as one. RFC 959 names no limit, and each server has its own; some cut a longer
// line and take the rest of it for the next command. Pure: lines in, lines and a verdict out.
//
// One probe is one connection before any login: HELP and NOOP, each filled up to the wanted length, then QUIT. Each line must
// get exactly one reply, so the third reply must be QUIT's 221. HELP, because servers with a grammar (BSD's ftpd) read on to
// the end of the line where a command takes no argument, and cut it where one does. The filling is such that the rest of a
// line that was cut is no command anywhere.
#pragma once

#include "ftp/greeting.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::ftp {

class LineProbe {
public:
    enum class Verdict {
        one_line,  ///< lines of this length are read whole
        cut,       ///< they are not: more replies, fewer, or the connection's end
        no_server, ///< it has not welcomed us
    };

    explicit LineProbe(std::size_t line_bytes) : line_bytes_(line_bytes) {} ///< the end of the line, CRLF, included

    void on_line(std::string_view line); ///< of the server, without its end
    void on_end(); ///< the connection's, or the time's in which a reply could be waited for

    std::string take_output(); ///< a line for the server: to be sent when all that has come from it was given to on_line
    std::optional<Verdict> verdict() const { return verdict_; }
    const Greeting& greeting() const { return greeting_; }

private:
    std::string filled(std::string_view verb) const;

    std::size_t line_bytes_;
    Greeting greeting_;
    ReplyReader reader_;
    unsigned replies_ = 0;
    std::string output_;
    std::optional<Verdict> verdict_;
};

/// The lengths to try, the longest (`most`) first: below it a little less than the powers of two, which is where buffers end.
std::vector<std::size_t> line_lengths_to_try(std::size_t most);

} // namespace safetp::ftp
