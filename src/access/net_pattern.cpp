#include "access/net_pattern.h"

#include "access/string_pattern.h"
#include "access/text.h"

#include <cstdlib>
#include <optional>

namespace safetp::access {

namespace {

constexpr std::uint32_t kAllOnes = 0xffffffff;

int leading_integer(std::string_view text) { return std::atoi(std::string(text).c_str()); }

std::optional<std::uint32_t> mask_loosely(std::string_view text)
{
    if (const auto dotted = parse_ipv4_loosely(text))
        return dotted;
    const int length = leading_integer(text);
    if (length < 1 || length > 32)
        return std::nullopt;
    return mask_of_length(length);
}

bool same_start(const Ipv6Text& a, const Ipv6Text& b, int bits)
{
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (!std::equal(a.bytes.begin(), a.bytes.begin() + static_cast<std::ptrdiff_t>(whole), b.bytes.begin()))
        return false;
    const int rest = bits % 8;
    const unsigned mask = rest == 0 ? 0 : 0xff00u >> rest & 0xffu;
    return mask == 0 || (a.bytes[whole] & mask) == (b.bytes[whole] & mask);
}

NetMatch ipv4_safely(std::uint32_t net, std::uint32_t mask, std::uint32_t address, bool strict, bool refusing)
{
    const bool inside = (address & mask) == (net & mask);
    if ((net & ~mask) != 0)
        return {inside && refusing, inside ? "has bits set outside its mask" : ""};
    return {inside && (strict || refusing), inside && !strict ? "never matches in libwrap" : ""};
}

/// For a net that cannot be read: it is not asked whom it means.
NetMatch unreadable(bool refusing, bool same_family)
{
    return {refusing && same_family, same_family ? "cannot be understood" : ""};
}

} // namespace

std::uint32_t mask_of_length(int length) { return length == 0 ? 0 : kAllOnes << (32 - length); }

std::optional<int> plain_length(std::string_view text, int most)
{
    if (text.empty() || text.size() > 3 || !std::ranges::all_of(text, is_digit))
        return std::nullopt;
    const int length = leading_integer(text);
    return length <= most ? std::optional(length) : std::nullopt;
}

std::optional<Ipv6Text> bracketed_ipv6(std::string_view net)
{
    if (net.size() < 2 || !net.starts_with('[') || !net.ends_with(']'))
        return std::nullopt;
    return parse_ipv6(net.substr(1, net.size() - 2));
}

bool matches_net(std::string_view net, std::string_view mask, std::string_view address)
{
    address = without_mapped_prefix(address);
    if (const auto client = parse_ipv4_loosely(address)) {
        const auto base = parse_ipv4_loosely(net);
        const auto bits = mask_loosely(mask);
        return base && bits && (*client & *bits) == *base;
    }
    const auto client = parse_ipv6(address);
    if (!client)
        return false;
    const auto base = bracketed_ipv6(net);
    const int length = leading_integer(mask);
    return base && length >= 0 && length <= 128 && same_start(*base, *client, length);
}

NetMatch matches_net_safely(std::string_view net, std::string_view mask, std::string_view address, bool refusing)
{
    const auto ipv4 = parse_ipv4_loosely(without_mapped_prefix(address));
    const auto ipv6 = ipv4 ? std::nullopt : parse_ipv6(address);
    if (!ipv4 && !ipv6)
        return {};
    const bool strict = matches_net(net, mask, address);
    if (net.starts_with('[')) {
        if (!ipv6)
            return {};
        const auto base = bracketed_ipv6(net);
        const auto length = plain_length(mask, 128);
        if (!base || !length)
            return unreadable(refusing, true);
        return {same_start(*base, *ipv6, *length), ""};
    }
    const auto base = parse_ipv4(net);
    const auto length = plain_length(mask, 32);
    const auto bits = length ? mask_of_length(*length) : parse_ipv4(mask);
    if (base && bits)
        return ipv4 ? ipv4_safely(*base, *bits, *ipv4, strict, refusing) : NetMatch{};
    const auto loose_base = parse_ipv4_loosely(net);
    if (loose_base && mask_loosely(mask)) // octal or hexadecimal parts, 24abc: libwrap's reading may not be the writer's
        return {refusing && strict, strict ? "is not written in plain decimal numbers" : ""};
    return unreadable(refusing, ipv4 || !loose_base);
}

} // namespace safetp::access
