// "[ADDRESS:]PORT" of the command line. Pure.
#pragma once

#include "base/ip_address.h"

#include <optional>
#include <string_view>

namespace safetp::supervisor {

struct AddressArgument {
    std::optional<IpAddress> address; ///< none: the default of what it is for
    std::uint16_t port = 0;
};

/// 21, 127.0.0.1:21, [::1]:21, [fe80::1%eth0]:21; bad_address or bad_port otherwise. An IPv6 address needs its brackets.
Result<AddressArgument> parse_address_argument(std::string_view text);

} // namespace safetp::supervisor
