// net/mask and [net]/length. hosts_access(5), "PATTERNS".
#pragma once

#include <string>
#include <string_view>

namespace safetp::access {

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
