// The FEAT reply (RFC 2389) that a client is given.
#pragma once

#include <string>
#include <string_view>

namespace safetp::ftp {

/// The raw ftpd's FEAT reply (lines with CRLF; empty if it has none) less what cannot pass, plus what the gateway adds.
enum class OfferTls { no, yes, yes_with_ccc };
std::string make_feature_reply(std::string_view server_reply, OfferTls offer);

} // namespace safetp::ftp
