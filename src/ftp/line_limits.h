// What is known of the longest line that the raw ftpd reads as one, for each greeting that it was seen with. Made to lie in
// memory that several processes share: all bytes zero is its first value, and it has no pointers and no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace safetp::ftp {

class LineLimits {
public:
    /// Bytes, CRLF included; nothing: it was not measured behind this greeting (Greeting::fingerprint).
    std::optional<std::size_t> find(std::uint64_t greeting) const;
    void learn(std::uint64_t greeting, std::size_t bytes); ///< forgets the oldest of eight

    /// Whether the caller is to measure now: true for one of all processes until `free_again`. Times are of one clock that all
    /// processes share (CLOCK_MONOTONIC), in milliseconds.
    bool claim(std::int64_t now, std::int64_t free_again);
    void set_free_again(std::int64_t time) { free_again_.store(time); }

private:
    static constexpr std::size_t kKnown = 8;

    std::array<std::atomic<std::uint64_t>, kKnown> known_; ///< the greeting's high bits and, in the low ones, the bytes
    std::atomic<std::uint32_t> next_;
    std::atomic<std::int64_t> free_again_;
};

} // namespace safetp::ftp
