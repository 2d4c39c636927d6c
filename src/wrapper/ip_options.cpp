#include "wrapper/ip_options.h"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

namespace safetp::wrapper {

bool has_source_route(std::span<const std::uint8_t> options)
{
    while (!options.empty() && options.front() != IPOPT_EOL) {
        const std::uint8_t kind = options.front();
        if (kind == IPOPT_LSRR || kind == IPOPT_SSRR)
            return true;
        const std::size_t length = kind == IPOPT_NOP ? 1 : options.size() > 1 ? options[1] : 0;
        if (length == 0 || length > options.size())
            return false;
        options = options.subspan(length);
    }
    return false;
}

IpOptions find_ip_options(int fd)
{
    std::array<std::uint8_t, 64> buffer{}; // at most 40 by RFC 791
    socklen_t length = buffer.size();
    if (::getsockopt(fd, IPPROTO_IP, IP_OPTIONS, buffer.data(), &length) != 0 || length == 0)
        return {};
    const std::span options = std::span(buffer).first(length);
    if (has_source_route(options))
        return {IpOptions::Finding::source_route, {}};
    IpOptions found{IpOptions::Finding::others, {}};
    for (const std::uint8_t byte : options)
        found.text += fmt::format(" {:02x}", byte);
    return found;
}

int remove_ip_options(int fd) { return ::setsockopt(fd, IPPROTO_IP, IP_OPTIONS, nullptr, 0) == 0 ? 0 : errno; }

} // namespace safetp::wrapper
