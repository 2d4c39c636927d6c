// The verified name of a host, as hosts_access(5) means it: the address's name, whose own addresses hold that address again.
// What does not check out is "paranoid" and worth a warning; what has no name is "unknown".
#pragma once

#include "base/ip_address.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace safetp::wrapper {

/// libwrap cuts names here, which makes suffix rules miss; nobody else should.
inline constexpr std::size_t kLibraryNameBytes = 127;

struct NameFinding {
    std::string value;   ///< a verified name, access::kUnknown or access::kParanoid
    std::string warning; ///< libwrap's words for what does not check out; empty: nothing to say
    bool operator==(const NameFinding&) const = default;
};

/// What the name's own lookup gave, in the family of the address alone.
struct ForwardAnswer {
    bool has_failed = false; ///< for good or for the moment: both make the name paranoid
    std::string canonical_name;
    std::vector<IpAddress> addresses;
};

/// Decides on the name that an address's reverse lookup gave. Pure. `is_numeric`: the name reads as an address itself.
NameFinding judge_name(const IpAddress& address, const std::string& name, bool is_numeric, const ForwardAnswer& forward);

/// getnameinfo(3) and getaddrinfo(3), so everything that nsswitch.conf(5) says holds. Blocks as long as the resolver does: by
/// resolv.conf(5)'s defaults 10 s for each name server and lookup. A name longer than `max_bytes` is cut.
NameFinding look_up_name(const IpAddress& address, std::size_t max_bytes = 1024);

/// Its two halves. None: the address has no name, or the resolver could not tell.
std::optional<std::string> reverse_name(const IpAddress& address, std::size_t max_bytes = 1024);
NameFinding verify_name(const IpAddress& address, const std::string& name);

/// The same in a child process that is ended after `time`. What is not known by then is unknown; a name that had been found but
/// not verified is paranoid, so that a slow zone of its own lets nobody choose between the two.
NameFinding look_up_name_within(const IpAddress& address, std::chrono::milliseconds time);

/// As getnameinfo(3) prints an address: with the interface of a link-local one. An IPv4-mapped address keeps its ::ffff:.
std::string numeric_text(const SocketAddress& address);

} // namespace safetp::wrapper
