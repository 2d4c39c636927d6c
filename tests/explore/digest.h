// A state as 128 bits: two states with one digest are taken for one. With a million states the chance of a mistake is 1e-26.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>

namespace safetp::explore {

struct Digest {
    std::uint64_t first = 0x243f6a8885a308d3;
    std::uint64_t second = 0x13198a2e03707344;
    auto operator<=>(const Digest&) const = default;
};

class Folder {
public:
    template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
    void add(T value)
    {
        const auto word = static_cast<std::uint64_t>(value);
        digest_.first = mixed(digest_.first, word, 0x9e3779b97f4a7c15);
        digest_.second = mixed(digest_.second, word, 0xd6e8feb86659fd93);
    }
    void add(std::string_view text)
    {
        add(text.size());
        for (const char c : text)
            add(c);
    }
    const Digest& digest() const { return digest_; }

private:
    static std::uint64_t mixed(std::uint64_t state, std::uint64_t word, std::uint64_t factor)
    {
        state = (state ^ word) * factor;
        return state ^ (state >> 29);
    }

    Digest digest_;
};

} // namespace safetp::explore

template <>
struct std::hash<safetp::explore::Digest> {
    std::size_t operator()(const safetp::explore::Digest& digest) const noexcept { return digest.first; }
};
