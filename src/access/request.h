// One connection as the access tables see it: who asks for which daemon. hosts_access(5), "ACCESS CONTROL RULES" and
// "PATTERNS".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace safetp::access {

inline constexpr const char* kUnknown = "unknown";   ///< stands for an address, name or user that could not be had
inline constexpr const char* kParanoid = "paranoid"; ///< stands for a host name that does not check out

/// What is known of a connection. Names and the user are looked up only when a rule asks for them.
struct Request {
    std::string daemon;                      ///< the daemon process name of the rules
    std::string client_address = kUnknown;   ///< as getnameinfo(3) with NI_NUMERICHOST prints it, ::ffff: kept
    std::string server_address = kUnknown;   ///< the local address, likewise
    std::optional<std::uint16_t> client_port; ///< none: that endpoint is not known
    std::optional<std::uint16_t> server_port;
    bool has_endpoints = true;               ///< false: as hosts_ctl(3) asks: no descriptor, no lookups at all
    int process_id = 0;                      ///< for %p

    // What lookups yielded; none: not asked yet.
    std::optional<std::string> client_name;  ///< a verified name, or kUnknown, or kParanoid
    std::optional<std::string> server_name;  ///< empty or kUnknown: no name
    std::optional<std::string> client_user;  ///< RFC 931's answer, or kUnknown
};

enum class Fact { client_name, client_user, server_name };

} // namespace safetp::access
