// The one query and the one answer of the identification protocol (RFC 1413, RFC 931), read as libwrap reads them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::wrapper {

inline constexpr std::size_t kMaxIdentBytes = 511; ///< of an answer; what comes after is not looked at
inline constexpr std::size_t kMaxUserBytes = 127;  ///< of a user; the rest is cut off

struct IdentPorts {
    std::uint16_t client = 0; ///< the asked machine's port
    std::uint16_t server = 0; ///< ours
};

std::string ident_query(const IdentPorts& ports); ///< "40000,21" CRLF

/// Whether enough has come: a line end, or as many bytes as are ever looked at.
bool is_ident_reply_complete(std::string_view received);

/// The user of "40000 , 21 : USERID : UNIX : bob" with its line end; none for errors, other ports, and whatever else a client's
/// machine may say. The user ends at white space, may hold colons, and is nothing to rely on: the client's machine chooses it.
std::optional<std::string> parse_ident_reply(std::string_view received, const IdentPorts& ports);

} // namespace safetp::wrapper
