// Patterns that stand for addresses. libwrap says nothing of the wrong ones: they match nobody, or far too many.
#include "access/lint_parts.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace safetp::access {

namespace {

constexpr std::uint32_t kAllOnes = 0xffffffffu;

struct Quad {
    std::uint32_t value = 0;
    unsigned parts = 0;          ///< how many there are, also where they are wrong
    bool is_valid = false;       ///< four numbers below 256, of any base that inet_addr(3) reads
    bool has_other_base = false; ///< 010 is 8 and 0x10 is 16
};

std::optional<unsigned> decimal_value(std::string_view part)
{
    unsigned value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (part.empty() || error != std::errc{} || end != part.data() + part.size() || value > 255)
        return std::nullopt;
    return value;
}

std::vector<std::string_view> parts_of(std::string_view text)
{
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t dot = std::min(text.find('.', at), text.size());
        parts.push_back(text.substr(at, dot - at));
        at = dot + 1;
    }
    return parts;
}

Quad read_quad(std::string_view text)
{
    const std::vector<std::string_view> parts = parts_of(text);
    const auto value = text == "255.255.255.255" ? std::optional(kAllOnes) : parse_ipv4_loosely(text);
    return {.value = value.value_or(0),
        .parts = static_cast<unsigned>(parts.size()),
        .is_valid = value.has_value(),
        .has_other_base = std::ranges::any_of(parts, [](auto part) { return part.size() > 1 && part.front() == '0'; })};
}

std::string ipv4_text(std::uint32_t value)
{
    return fmt::format("{}.{}.{}.{}", value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255);
}

IpAddress ipv4_address(std::uint32_t value)
{
    return IpAddress::from_ipv4({static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
        static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

std::uint32_t mask_of_bits(unsigned bits) { return bits == 0 ? 0 : kAllOnes << (32 - bits); }

/// 010.001.2.003 -> 10.1.2.3; empty where that is no address.
std::string without_leading_zeros(std::string_view text)
{
    std::string result;
    for (const std::string_view part : parts_of(text)) {
        const auto value = decimal_value(part);
        if (!value)
            return "";
        result += (result.empty() ? "" : ".") + std::to_string(*value);
    }
    return result;
}

/// 10.1 -> 10.1.0.0; empty where the parts are no numbers below 256 or not one to three.
std::string filled_up(std::string_view net)
{
    while (net.ends_with('.'))
        net.remove_suffix(1);
    std::string result = without_leading_zeros(net);
    const auto dots = std::ranges::count(result, '.');
    if (result.empty() || dots > 2)
        return "";
    for (auto more = dots; more < 3; ++more)
        result += ".0";
    return result;
}

AddressPattern wrong(std::string text) { return {.error = std::move(text)}; }

struct Mask {
    std::uint32_t value = 0;
    std::string error{};
    std::string warning{};
    bool fails_in_safe = false;
};

std::string zero_mask_text(std::string_view net)
{
    return fmt::format(
        "a mask of 0 bits never matches: write 0.0.0.0/0.0.0.0 for every IPv4 client, ALL for every client, or the "
        "mask of {} that is meant",
        shown(net));
}

Mask read_mask(std::string_view net, std::string_view text)
{
    if (const Quad quad = read_quad(text); quad.is_valid) {
        if (quad.value == kAllOnes)
            return {.error = fmt::format("the mask 255.255.255.255 is not understood and never matches: write {} alone", net)};
        Mask mask{.value = quad.value};
        if (std::countl_one(quad.value) + std::countr_zero(quad.value) < 32)
            mask.warning = fmt::format("the mask {} has gaps; if a network is meant, write its length, as in /24", text);
        return mask;
    }
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0)
        return {
            .error = fmt::format("{} is no mask, so the pattern never matches: write a length from 1 to 32 or four numbers, as "
                                 "in {}/24 or {}/255.255.255.0",
                shown(text), net, net)};
    unsigned bits = 99; // stays where the number is too large for it
    std::from_chars(text.data(), text.data() + digits, bits);
    if (bits == 0)
        return {.error = zero_mask_text(net)};
    if (bits > 32)
        return {.error = fmt::format("the length {} is over 32, so the pattern never matches", text.substr(0, digits))};
    Mask mask{.value = mask_of_bits(bits)};
    mask.fails_in_safe = digits < text.size();
    if (mask.fails_in_safe)
        mask.warning = fmt::format("of the mask {} only {} is read: write /{}", shown(text), bits, bits);
    return mask;
}

AddressPattern wrong_net(std::string_view net, std::string_view mask, const Quad& quad)
{
    if (net.find(':') != std::string_view::npos)
        return wrong(fmt::format("an IPv6 network needs brackets, else it never matches: write [{}]/{}", net, mask));
    if (net.find_first_not_of("0123456789.xXabcdefABCDEF") != std::string_view::npos)
        return wrong(fmt::format(
            "{} is no IPv4 address: only addresses can have a mask, names cannot; the pattern never matches", shown(net)));
    if (const std::string whole = filled_up(net); quad.parts < 5 && !whole.empty())
        return wrong(fmt::format("a network needs all four numbers, else it never matches: write {}/{}", whole, mask));
    return wrong(fmt::format("{} is no IPv4 address, so the pattern never matches", shown(net)));
}

} // namespace

AddressPattern read_net_and_mask(std::string_view pattern)
{
    if (pattern.starts_with('['))
        return read_bracketed(pattern);
    const std::size_t slash = pattern.find('/');
    const std::string_view net = pattern.substr(0, slash);
    const std::string_view mask_text = pattern.substr(slash + 1);
    const Quad quad = read_quad(net);
    if (!quad.is_valid)
        return wrong_net(net, mask_text, quad);
    if (quad.value == kAllOnes)
        return wrong("255.255.255.255 is not understood as an address and never matches");
    const Mask mask = read_mask(net, mask_text);
    if (!mask.error.empty())
        return {.error = mask.error};
    if ((quad.value & ~mask.value) != 0) {
        const bool has_length = std::countl_one(mask.value) == std::popcount(mask.value) && mask.value != 0;
        const std::string net_of_it = ipv4_text(quad.value & mask.value);
        return wrong(
            fmt::format("{} has bits outside its mask, so the pattern never matches: write {}/{} for the network, {} for "
                        "the address",
                shown(pattern), net_of_it, has_length ? std::to_string(std::countl_one(mask.value)) : std::string(mask_text),
                ipv4_text(quad.value)));
    }
    AddressPattern result{.warning = mask.warning, .fails_in_safe = mask.fails_in_safe};
    if (std::countl_one(mask.value) + std::countr_zero(mask.value) >= 32)
        result.network = Network{ipv4_address(quad.value), static_cast<unsigned>(std::countl_one(mask.value))};
    result.fails_in_safe = result.fails_in_safe || quad.has_other_base;
    if (quad.has_other_base)
        result.warning = fmt::format("numbers that begin with 0 are octal, and with 0x hexadecimal: {} is read as {}",
            shown(net), ipv4_text(quad.value));
    return result;
}

namespace {

/// What a mapped address, [::ffff:10.1.0.0]/112, is as an IPv4 pattern.
std::string ipv4_instead(const IpAddress& address, std::string_view length)
{
    unsigned bits = 128;
    std::from_chars(length.data(), length.data() + length.size(), bits);
    if (bits <= 96)
        return "0.0.0.0/0.0.0.0";
    return bits >= 128 ? address.to_string() : fmt::format("{}/{}", address.to_string(), bits - 96);
}

AddressPattern read_literal(std::string_view literal, std::string_view pattern)
{
    const std::size_t percent = literal.find('%');
    const std::string text(literal.substr(0, percent));
    std::array<std::uint8_t, 16> bytes{};
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
        const IpAddress address = IpAddress::from_ipv6(bytes);
        if (address.is_ipv4())
            return wrong(fmt::format("{} never matches, since such a client is compared as IPv4: write {}", shown(pattern),
                ipv4_instead(address, pattern.substr(std::min(pattern.find('/'), pattern.size() - 1) + 1))));
        AddressPattern result{.network = Network{address, 128}};
        if (percent != std::string_view::npos)
            result.warning = fmt::format("the interface {} is not compared: the address is meant on every interface",
                shown(literal.substr(percent + 1)));
        return result;
    }
    if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1)
        return wrong(fmt::format("IPv4 addresses have no brackets, {} never matches: write {}", shown(pattern), text));
    return wrong(fmt::format(
        "{} is no IPv6 address, so the pattern never matches; a network is written as in [2001:db8::]/32", shown(literal)));
}

Network network_without_host_bits(const Network& network)
{
    std::array<std::uint8_t, 16> bytes = network.base.bytes();
    for (unsigned at = 0; at < 16; ++at) {
        const unsigned kept = network.prefix_bits > 8 * at ? std::min(network.prefix_bits - 8 * at, 8u) : 0;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] & (0xff00u >> kept));
    }
    return {IpAddress::from_ipv6(bytes), network.prefix_bits};
}

} // namespace

AddressPattern read_bracketed(std::string_view pattern)
{
    const std::size_t close = pattern.find(']');
    if (close == std::string_view::npos)
        return wrong(fmt::format("{} lacks its closing bracket", shown(pattern)));
    AddressPattern result = read_literal(pattern.substr(1, close - 1), pattern);
    const std::string_view rest = pattern.substr(close + 1);
    if (!result.error.empty() || rest.empty())
        return result;
    if (rest.front() != '/')
        return wrong(fmt::format(
            "{} after the bracket: only a length may follow, as in [2001:db8::]/32; the pattern never matches", shown(rest)));
    const std::string_view text = rest.substr(1);
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    if (text.empty() || end == text.data())
        return wrong(
            fmt::format("{} is no length and counts as 0, which is every IPv6 client: write a length from 1 to 128, or "
                        "[::]/0 if that is meant",
                shown(text)));
    if (error != std::errc{} || bits > 128)
        return wrong(fmt::format("the length {} is over 128, so the pattern never matches", shown(text)));
    const Network given{result.network->base, bits};
    result.network = network_without_host_bits(given);
    result.fails_in_safe = end != text.data() + text.size();
    if (result.fails_in_safe)
        result.warning = fmt::format("of the length {} only {} is read: write /{}", shown(text), bits, bits);
    else if (result.network->base != given.base)
        result.warning = fmt::format("the bits after the first {} are ignored: write [{}]/{}, or [{}] for the one address",
            bits, result.network->base.to_string(), bits, given.base.to_string());
    return result;
}

AddressPattern read_digits_and_dots(std::string_view pattern)
{
    const bool is_prefix = pattern.ends_with('.');
    const std::string_view numbers = is_prefix ? pattern.substr(0, pattern.size() - 1) : pattern;
    const std::string plain = without_leading_zeros(numbers);
    const auto dots = std::ranges::count(numbers, '.');
    if (plain.empty() || dots > 3)
        return wrong(fmt::format("{} is part of no IPv4 address, so it never matches", shown(pattern)));
    if (plain != numbers)
        return wrong(fmt::format("addresses are compared as text, and {} has zeros that no client's address has: write {}{}",
            shown(pattern), plain, is_prefix ? "." : ""));
    if (is_prefix && dots == 3)
        return wrong(fmt::format(
            "nothing follows the fourth number of an address, so {} never matches: write {}", shown(pattern), plain));
    if (!is_prefix && dots < 3)
        return wrong(
            fmt::format("{} is no whole address, so it never matches: write {}. with the dot, or {}/{}, for the network",
                shown(pattern), plain, filled_up(plain), 8 * (dots + 1)));
    const std::string base = is_prefix ? filled_up(plain) : plain;
    const Quad quad = read_quad(base);
    AddressPattern result{.network = Network{ipv4_address(quad.value), is_prefix ? static_cast<unsigned>(8 * (dots + 1)) : 32}};
    if (!is_prefix && (quad.value & 255) == 0 && quad.value != 0)
        result.warning = fmt::format(
            "{} is one address; if its network is meant, write {}", shown(pattern), plain.substr(0, plain.rfind('.') + 1));
    return result;
}

std::optional<Network> network_of(std::string_view pattern)
{
    AddressPattern found;
    if (pattern.starts_with('['))
        found = read_bracketed(pattern);
    else if (pattern.find('/') != std::string_view::npos && !pattern.starts_with('/'))
        found = read_net_and_mask(pattern);
    else if (!pattern.empty() && pattern.find_first_not_of("0123456789.") == std::string_view::npos && pattern.front() != '.')
        found = read_digits_and_dots(pattern);
    return found.error.empty() ? found.network : std::nullopt;
}

} // namespace safetp::access
