// safetp run's loop: one command and its descendants, whose FTP connections the engine serves.
#pragma once

#include "client/engine.h"
#include "client/watched_command.h"

#include <csignal>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace safetp::client {

struct RunStart {
    const Settings& settings;
    Engine::Resources resources;
    UniqueFd name_helper;             ///< a second one, start_name_helper(): finds the name that an address was connected by
    WatchedCommand command;           ///< started with the mask that block_signals_of_run() gave
    std::set<std::uint16_t> ports;    ///< of FTP servers
    std::set<std::uint16_t> other_ports; ///< of something else, whose connections are none of ours
    std::string host;                 ///< what every server is called; empty: found out
    std::vector<std::string> words;   ///< the command's
    std::vector<ServerName> known;    ///< servers that may be meant where the words do not say which
};

/// Serves until the command and all its descendants have ended and their sessions are over. Signals that somebody sends to us
/// go to the command; those of a terminal reach it anyway. Gives the command's exit code, 128 and the signal's number where one
/// ended it.
int run_command(RunStart start);

/// So that they wait for run_command(); before the name helpers are started. Gives the mask as it was.
sigset_t block_signals_of_run();

/// What a server may be called whose address is `target`: the names in the command's words, then those of known servers.
struct NameChoice {
    std::vector<std::string> candidates; ///< those that fit the port, each once
    std::size_t from_words = 0;          ///< so many of them are the command's own
    bool is_address_said = false;        ///< the command itself has this address among its words
};
NameChoice names_for(const Endpoint& target, const std::vector<std::string>& words, const std::vector<ServerName>& known);

/// What in a command's words may be a server: ftp://[USER[:PASSWORD]@]HOST[:PORT][/...], and any word that is a host name with
/// a dot or HOST:PORT of such a name.
std::vector<ServerName> names_in(const std::vector<std::string>& words);

/// Of services that are elsewhere the same all over the world: ssh, mail, web, databases and the like.
std::set<std::uint16_t> ports_of_other_services();

/// The ports of all ftp://HOST:PORT in a command's words.
std::set<std::uint16_t> ports_in(const std::vector<std::string>& words);

} // namespace safetp::client
