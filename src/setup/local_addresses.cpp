#include "setup/local_addresses.h"

#include <algorithm>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>
#include <tuple>

namespace safetp::setup {

std::vector<IpAddress> in_order(std::vector<IpAddress> addresses)
{
    const auto rank = [](const IpAddress& address) { return std::tuple(!address.is_loopback(), !address.is_ipv4(), address); };
    std::ranges::sort(addresses, {}, rank);
    const auto repeated = std::ranges::unique(addresses);
    addresses.erase(repeated.begin(), repeated.end());
    return addresses;
}

std::vector<IpAddress> local_addresses()
{
    std::vector<IpAddress> addresses;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0)
        return addresses;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr)
            continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6)
            continue;
        SocketAddress address;
        address.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        std::memcpy(address.get(), entry->ifa_addr, address.length);
        if (const auto endpoint = from_socket_address(address))
            addresses.push_back(endpoint->address);
    }
    return in_order(std::move(addresses));
}

bool is_link_local(const IpAddress& address)
{
    return !address.is_ipv4() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0) == 0x80;
}

} // namespace safetp::setup
