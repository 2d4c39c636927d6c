// Splits what a peer sends into lines (RFC 959 section 5.3.1: CRLF; a bare LF ends a line too, for old clients and servers).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::ftp {

/// Holds at most one line of `max_line` bytes (end of line included) beyond what one read brings. An over-long line is thrown
/// away up to its end and reported once: its tail is never taken for a command.
class LineBuffer {
public:
    explicit LineBuffer(std::size_t max_line) : max_line_(max_line) {}
    ~LineBuffer() { wipe(); }
    LineBuffer(LineBuffer&&) = default;
    LineBuffer& operator=(LineBuffer&&) = default;

    /// Room for one read; only while has_room(). Views from next() end here.
    std::span<std::byte> free_space();
    bool has_room() const { return end_ - begin_ < max_line_; } ///< always after next() has given none
    void commit(std::size_t bytes); ///< so many of free_space() were filled
    void put(std::string_view bytes); ///< as if one read had brought them, however many

    struct Line {
        enum class Kind { none, line, too_long };
        Kind kind = Kind::none;
        std::string_view text; ///< without its end; valid until the next call of any function here
    };
    Line next();

    /// Nothing is held, neither a line nor a part of one: what must be true when TLS begins (RFC 4217; STARTTLS injection).
    bool is_empty() const { return begin_ == end_ && !discarding_; }
    void release_if_empty(); ///< gives the memory back while the session idles

private:
    void wipe(); ///< passwords pass through here

    std::size_t max_line_;
    std::vector<char> bytes_;
    std::size_t begin_ = 0;
    std::size_t scanned_ = 0; ///< no LF in [begin_, scanned_)
    std::size_t end_ = 0;
    bool discarding_ = false;
};

} // namespace safetp::ftp
