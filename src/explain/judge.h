// What the access tables say of one client, gone through as for a real connection but without one: names are looked up, nothing
// is run, sent or changed. hosts_access(5); tcpdmatch(8) is the model.
#pragma once

#include "access/evaluation.h"
#include "wrapper/names.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace safetp::explain {

/// Where names come from. Each may be empty: then nothing is looked up.
struct Services {
    std::function<wrapper::NameFinding(const IpAddress&)> find_name;
    std::function<bool(const std::string& group, const std::string& host)> is_in_netgroup;
};

/// Something that the evaluation asked for, or that an option wants done.
struct Event {
    enum class Kind { client_name, client_user, server_name, netgroup, command, effect } kind;
    std::string text;      ///< what was looked up, the command, or what the option does
    std::string result;    ///< the value; of commands and effects: what happens here instead
    std::size_t after = 0; ///< entries of the trace that came before it
};

struct Answer {
    access::Request request; ///< with what was looked up
    std::vector<access::Trace> trace;
    std::vector<Event> events;
    std::vector<access::Report> reports; ///< what would be logged, lookups' warnings included
    access::Verdict verdict;
    std::string banner;      ///< what the banner options send, CRLF lines
    bool is_granted = false; ///< the verdict's and the daemon's own say together
    std::string refusal;     ///< why the daemon refuses though the tables do not; empty where they decide
};

/// Who does with the verdict what it says.
struct Daemon {
    bool is_gateway = true;        ///< one of safetpd's own names; else somebody behind safetp-tcpd
    bool runs_commands = false;    ///< `commands` of [access]
    bool starts_server = false;    ///< setenv, umask and nice have a process to act on
    bool refuses_paranoid = false; ///< `paranoid = "always"`
};

Answer judge(const access::Tables& tables, const access::Request& request, const Daemon& daemon, const Services& services);

/// `\n` for LF and so on: one line, nothing that steers a terminal.
std::string printable(std::string_view text);

} // namespace safetp::explain
