// The addresses in PORT, EPRT, EPSV and in their replies (RFC 959 section 4.1.2, RFC 2428). Parsing only; whom to believe is
// decided elsewhere: of a peer's text only the port is ever used.
#pragma once

#include "base/ip_address.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::ftp {

std::optional<Endpoint> parse_port_argument(std::string_view argument); ///< "h1,h2,h3,h4,p1,p2", nothing else

enum class EprtProblem { malformed, unknown_protocol };
/// "|1|192.0.2.1|6275|": any delimiter from 33 to 126 that is no digit. No host names, short forms or scopes.
std::expected<Endpoint, EprtProblem> parse_eprt_argument(std::string_view argument);

/// The port in a 227 reply's text: the last two of six comma-separated decimals, wherever they stand (RFC 1123 section
/// 4.1.2.6).
std::optional<std::uint16_t> port_of_pasv_reply(std::string_view line);
/// The port in a 229 reply's text, "(|||6446|)"; lenient about what stands between the delimiters before it.
std::optional<std::uint16_t> port_of_epsv_reply(std::string_view line);

std::string port_argument(const Endpoint& endpoint); ///< IPv4 only
std::string eprt_argument(const Endpoint& endpoint);

} // namespace safetp::ftp
