// Addresses as people write them to dial or to bind: behind a link-local one its zone may stand, fe80::1%eth0 (RFC 4007
// section 11). What comes from the network has none: that is read by IpAddress::parse.
#pragma once

#include "base/ip_address.h"

#include <string>
#include <string_view>

namespace safetp {

struct ZonedAddress {
    IpAddress address;
    std::string zone{}; ///< an interface's name, or its number; empty: none

    /// Pure. bad_address: no address, or a zone behind one that is not link-local or that no interface could have.
    static Result<ZonedAddress> parse(std::string_view text);
    std::string to_string() const; ///< one spelling: fe80::1%eth0

    /// The address, which knows the number that its interface has now. bad_address: there is no such interface, or the
    /// address is link-local and says none.
    Result<IpAddress> resolve() const;
};

/// parse() and resolve().
Result<IpAddress> parse_zoned_address(std::string_view text);

/// As Endpoint::to_string, with the name of the interface: [fe80::1%eth0]:21.
std::string to_zoned_string(const Endpoint& endpoint);

} // namespace safetp
