// The exact lines that close a way round the front door. Pure.
#pragma once

#include "setup/findings.h"

#include <string>
#include <vector>

namespace safetp::setup {

/// What lets strangers in where the tables are asked.
enum class LetIn { by_no_rule, by_an_allow_rule };

/// For an opening through which strangers get in.
std::vector<Mend> mend_way(const Situation& situation, const Opening& opening, LetIn let_in);

/// For a raw ftpd that listens on this address alone.
std::vector<Mend> mend_address(const IpAddress& address);

/// The tables' lines that let this machine's own addresses, and nobody else, reach a daemon.
std::vector<Mend> mend_tables(const Situation& situation, const std::string& daemon, LetIn let_in);

/// A raw ftpd that is told to insist on TLS of its own: the setting that takes that back.
std::vector<Mend> mend_server_tls(const Standing& standing);

} // namespace safetp::setup
