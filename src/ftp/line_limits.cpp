#include "ftp/line_limits.h"

#include <algorithm>

namespace safetp::ftp {

namespace {

constexpr std::uint64_t kBytesMask = (1u << 17) - 1; // [limits] line_bytes is 65536 at most

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

} // namespace

std::optional<std::size_t> LineLimits::find(std::uint64_t greeting) const
{
    for (const auto& each : known_) {
        const std::uint64_t entry = each.load();
        if (entry != 0 && (entry & ~kBytesMask) == (greeting & ~kBytesMask))
            return entry & kBytesMask;
    }
    return std::nullopt;
}

void LineLimits::learn(std::uint64_t greeting, std::size_t bytes)
{
    const std::uint64_t entry = (greeting & ~kBytesMask) | std::min<std::uint64_t>(bytes, kBytesMask);
    for (auto& each : known_) {
        std::uint64_t before = each.load();
        const bool is_same = before != 0 && (before & ~kBytesMask) == (greeting & ~kBytesMask);
        if (is_same && each.compare_exchange_strong(before, entry))
            return;
    }
    known_[next_.fetch_add(1) % kKnown].store(entry);
}

bool LineLimits::claim(std::int64_t now, std::int64_t free_again)
{
    std::int64_t before = free_again_.load();
    return before <= now && free_again_.compare_exchange_strong(before, free_again);
}

} // namespace safetp::ftp
