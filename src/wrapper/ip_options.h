// IPv4 options of a connection. Source routing lets a client speak from an address that is not its own (RFC 791, section 3.1;
// RFC 7126, section 4.3), so rules about addresses would mean nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace safetp::wrapper {

/// Loose or strict source routing among these options. Reading ends at an option without a good length. Pure.
bool has_source_route(std::span<const std::uint8_t> options);

struct IpOptions {
    enum class Finding { none, source_route, others } finding = Finding::none;
    std::string text;    ///< others: " 07 03 04", as libwrap prints them
};

/// Looks; none where the socket is not IPv4.
IpOptions find_ip_options(int fd);

/// So that no answer carries them. 0, or errno.
int remove_ip_options(int fd);

} // namespace safetp::wrapper
