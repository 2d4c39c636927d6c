// What `safetpd explain` was asked, and the requests that follow from it.
#pragma once

#include "access/request.h"
#include "access/rules.h"
#include "config/config.h"
#include "explain/judge.h"
#include "wrapper/table_files.h"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace safetp::explain {

/// The command line; empty where nothing was said.
struct Question {
    std::string client; ///< [user@] and an address, a host name, `unknown` or `paranoid`
    std::string daemon; ///< NAME[@SERVER]
    std::string user;
    std::string server;   ///< local address
    std::string name;     ///< taken for the client's verified name
    std::string listener; ///< [ADDRESS:]PORT of one in the configuration
    std::string reading;  ///< safe, strict
    std::string allow;    ///< instead of the configured tables
    std::string deny;
    std::optional<std::uint16_t> port; ///< of the server
    bool is_json = false;
    bool no_lookup = false;
};

/// The question with everything that the configuration adds.
struct Case {
    wrapper::TablePaths paths;
    access::Reading reading = access::Reading::safe;
    Daemon daemon;
    bool is_enabled = true;                           ///< safetpd asks the tables at all
    std::vector<access::Request> requests;            ///< one for each address of the client
    std::vector<std::string> notes;                   ///< what was assumed
    config::Refusal refusal = config::Refusal::reply; ///< the gateway's
    std::chrono::seconds refusal_delay{5};
    std::chrono::seconds lookup_time{5}; ///< for a name; 0: as long as the resolver takes
};

/// Addresses of a host name; none: there is no such host.
using FindAddresses = std::function<std::vector<IpAddress>(const std::string& name)>;

struct QuestionError {
    int exit_code;
    std::string text;
};

std::expected<Case, QuestionError> understand(
    const Question& question, const config::Config& config, const FindAddresses& find_addresses);

} // namespace safetp::explain
