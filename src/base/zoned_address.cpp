#include "base/zoned_address.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <net/if.h>

namespace safetp {

namespace {

/// fe80::/10, RFC 4291 section 2.5.6.
bool is_link_local(const IpAddress& address)
{
    return !address.is_ipv4() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0u) == 0x80u;
}

/// What Linux may call an interface, but for what has a meaning in configurations and URLs.
bool is_interface_name(std::string_view text)
{
    return !text.empty() && text.size() < IF_NAMESIZE && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
    });
}

/// 0: there is no such interface.
std::uint32_t interface_number(const std::string& zone)
{
    if (const unsigned number = ::if_nametoindex(zone.c_str()); number != 0)
        return number;
    std::uint32_t number = 0;
    const char* const end = zone.data() + zone.size();
    const auto [stopped, error] = std::from_chars(zone.data(), end, number);
    std::array<char, IF_NAMESIZE> name{};
    const bool is_known = error == std::errc() && stopped == end && ::if_indextoname(number, name.data()) != nullptr;
    return is_known ? number : 0;
}

} // namespace

Result<ZonedAddress> ZonedAddress::parse(std::string_view text)
{
    const std::size_t percent = text.find('%');
    const auto address = IpAddress::parse(text.substr(0, percent));
    if (!address)
        return fail(ErrorCode::bad_address, 0, std::string(text));
    if (percent == std::string_view::npos)
        return ZonedAddress{*address};
    const std::string_view zone = text.substr(percent + 1);
    if (!is_link_local(*address) || !is_interface_name(zone))
        return fail(ErrorCode::bad_address, 0, std::string(text));
    return ZonedAddress{*address, std::string(zone)};
}

std::string ZonedAddress::to_string() const { return zone.empty() ? address.to_string() : address.to_string() + "%" + zone; }

Result<IpAddress> ZonedAddress::resolve() const
{
    if (!is_link_local(address))
        return address;
    const std::uint32_t number = zone.empty() ? 0 : interface_number(zone);
    if (number == 0)
        return fail(ErrorCode::bad_address, 0,
            zone.empty() ? to_string() + " is link-local and needs its interface, as in fe80::1%eth0"
                         : to_string() + ": there is no interface " + zone);
    return IpAddress::from_ipv6(address.bytes(), number);
}

Result<IpAddress> parse_zoned_address(std::string_view text)
{
    const auto zoned = ZonedAddress::parse(text);
    return zoned ? zoned->resolve() : std::unexpected(zoned.error());
}

std::string to_zoned_string(const Endpoint& endpoint)
{
    std::array<char, IF_NAMESIZE> name{};
    const std::uint32_t scope = endpoint.address.scope();
    if (scope == 0 || ::if_indextoname(scope, name.data()) == nullptr)
        return endpoint.to_string();
    return "[" + endpoint.address.to_string() + "%" + name.data() + "]:" + std::to_string(endpoint.port);
}

} // namespace safetp
