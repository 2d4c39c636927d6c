#include "wrapper/names.h"

#include "access/request.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <strings.h>

namespace safetp::wrapper {

namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

bool is_same_name(const std::string& name, const std::string& other) { return ::strcasecmp(name.c_str(), other.c_str()) == 0; }

const char* family_name(const IpAddress& address) { return address.is_ipv4() ? "AF_INET" : "AF_INET6"; }

NameFinding paranoid(std::string warning) { return {access::kParanoid, std::move(warning)}; }

/// None where the lookup failed.
AddressList get_addresses(const IpAddress& address, const std::string& name, int flags)
{
    addrinfo hints{};
    hints.ai_family = address.is_ipv4() ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_STREAM; // each address once
    hints.ai_flags = flags;
    addrinfo* list = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0)
        list = nullptr;
    return {list, &::freeaddrinfo};
}

ForwardAnswer look_up_addresses(const IpAddress& address, const std::string& name)
{
    const AddressList list = get_addresses(address, name, AI_CANONNAME);
    if (!list)
        return {.has_failed = true, .canonical_name = {}, .addresses = {}};
    ForwardAnswer answer;
    if (list->ai_canonname != nullptr)
        answer.canonical_name = list->ai_canonname;
    for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
        SocketAddress found;
        std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen, reinterpret_cast<char*>(&found.storage));
        found.length = entry->ai_addrlen;
        if (const auto endpoint = from_socket_address(found))
            answer.addresses.push_back(endpoint->address);
    }
    return answer;
}

} // namespace

NameFinding judge_name(const IpAddress& address, const std::string& name, bool is_numeric, const ForwardAnswer& forward)
{
    if (is_numeric) // else whoever owns a reverse zone could take any address's place in the rules
        return paranoid("host name/name mismatch: reverse lookup results in non-FQDN " + name);
    if (forward.has_failed)
        return paranoid(fmt::format("can't verify hostname: getaddrinfo({}, {}) failed", name, family_name(address)));
    // /etc/hosts often names localhost by another name first.
    if (!is_same_name(name, forward.canonical_name) && !is_same_name(name, "localhost"))
        return paranoid(fmt::format("host name/name mismatch: {} != {}", name, forward.canonical_name));
    if (std::ranges::find(forward.addresses, address) == forward.addresses.end())
        return paranoid(fmt::format(
            "host name/address mismatch: {} != {}", numeric_text(to_socket_address({address, 0})), forward.canonical_name));
    return {name, {}};
}

std::optional<std::string> reverse_name(const IpAddress& address, std::size_t max_bytes)
{
    const SocketAddress reverse = to_socket_address({address, 0});
    char buffer[NI_MAXHOST] = "";
    if (::getnameinfo(reverse.get(), reverse.length, buffer, sizeof buffer, nullptr, 0, NI_NAMEREQD) != 0)
        return std::nullopt;
    return std::string(buffer).substr(0, max_bytes);
}

NameFinding verify_name(const IpAddress& address, const std::string& name)
{
    const bool is_numeric = get_addresses(address, name, AI_NUMERICHOST) != nullptr;
    return judge_name(address, name, is_numeric, is_numeric ? ForwardAnswer{} : look_up_addresses(address, name));
}

NameFinding look_up_name(const IpAddress& address, std::size_t max_bytes)
{
    const auto name = reverse_name(address, max_bytes);
    return name ? verify_name(address, *name) : NameFinding{access::kUnknown, {}};
}

std::string numeric_text(const SocketAddress& address)
{
    char buffer[NI_MAXHOST] = "";
    if (::getnameinfo(address.get(), address.length, buffer, sizeof buffer, nullptr, 0, NI_NUMERICHOST) != 0)
        return access::kUnknown;
    return buffer;
}

} // namespace safetp::wrapper
