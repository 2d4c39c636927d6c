// net/mask and [net]/length. hosts_access(5), "PATTERNS".
#pragma once

#include "access/string_pattern.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::access {

/// `length` ones from the left, 0 to 32.
std::uint32_t mask_of_length(int length);

/// A decimal number without sign or anything else, at most `most`.
std::optional<int> plain_length(std::string_view text, int most);

/// The address between brackets.
std::optional<Ipv6Text> bracketed_ipv6(std::string_view net);

/// The strict reading: whether the address, as text, is in the net.
bool matches_net(std::string_view net, std::string_view mask, std::string_view address);

struct NetMatch {
    bool matches = false;
    std::string complaint;  ///< where libwrap would decide otherwise, or the net is no good: what is wrong with it
};

/// The safe reading. A net that can be misunderstood matches nobody in a rule that lets in, and whom it may mean in one that
/// refuses.
NetMatch matches_net_safely(std::string_view net, std::string_view mask, std::string_view address, bool refusing);

} // namespace safetp::access
