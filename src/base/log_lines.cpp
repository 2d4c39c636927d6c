#include "base/log_lines.h"

namespace safetp::log {

std::string login_failure_line(std::string_view user, const IpAddress& client)
{
    static constexpr std::size_t kMaxUserBytes = 64;
    std::string line = "(?@" + client.to_string() + ") [WARNING] Authentication failed for user [";
    line += user.substr(0, kMaxUserBytes);
    return line + ']';
}

} // namespace safetp::log
