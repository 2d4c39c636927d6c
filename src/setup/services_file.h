// services(5): names of ports, and the line that SafeTP adds to them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

inline constexpr std::uint16_t kRawPort = 351; ///< where the raw ftpd stands since the first SafeTP

struct Service {
    std::string name;
    std::uint16_t port = 0;
    std::string protocol;
    std::vector<std::string> aliases;
    unsigned line = 0;
};

std::vector<Service> parse_services(std::string_view text);

/// The TCP port of a name, an alias or a decimal number.
std::optional<std::uint16_t> find_port(const std::vector<Service>& services, std::string_view name);

/// The text with "raw-ftp 351/tcp" after the last entry with a lower port, or as it is where raw-ftp stands there already.
std::string with_raw_ftp(std::string_view text);

} // namespace safetp::setup
