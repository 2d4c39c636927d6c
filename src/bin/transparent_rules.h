// What nft(8) and ip(8) must be told for safetp proxy --transparent. Pure.
#pragma once

#include "client/original_destination.h"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace safetp::bin {

struct TransparentRules {
    client::Interception how = client::Interception::redirect;
    std::string interface{};          ///< where clients come in; empty: they are this machine's own programs
    std::uint16_t ftp_port = 21;      ///< what clients dial
    std::uint16_t listen_port = 2121; ///< the proxy's
    std::uint16_t first_data_port = 50000;
    std::uint16_t last_data_port = 50999;
    std::string user{};               ///< the proxy's, whose own connections go their way
    uid_t uid = 0;
};

/// A file for nft -f, which replaces what an earlier one has set up; ip's lines are comments in it.
std::string write_rules(const TransparentRules& rules);

} // namespace safetp::bin
