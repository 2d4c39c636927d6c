// What is wrong with the access tables: everything that tcpdchk(8) finds, and the traps of the language where a rule says one
// thing to people and another to libwrap. hosts_access(5), hosts_options(5); docs/hosts-access.md, "Traps". Pure: the caller
// reads the files.
#pragma once

#include "access/tables.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace safetp::access {

/// One problem. error: the rule never does what it says, or the door opens or closes by accident. warning: it works, but likely
/// not as meant, or costs what nobody asked for.
struct Finding {
    enum class Severity { warning, error };
    Severity severity = Severity::error;
    std::string file;
    unsigned line = 0; ///< from 1; 0: the file as a whole. For a continued rule its last line, as in the log
    std::string text;  ///< what is wrong and what to write instead; one line, control characters escaped

    std::string to_string() const; ///< file:line: error: text
    bool operator==(const Finding&) const = default;
};

/// What a name service says of a host name that a rule names.
struct HostAnswer {
    bool exists = false;
    std::string canonical;                    ///< its official name; empty: not known
    std::vector<std::string> not_leading_back{}; ///< those of its addresses whose name is another or none: "192.0.2.1 (www)"
};

/// What the caller knows of this machine. What is left empty is not judged by.
struct LintSettings {
    Reading reading = Reading::safe;
    std::vector<std::string> daemons{}; ///< names that can ask: of inetd.conf, of services known to be wrapped; tcpdchk's check
    std::vector<std::string>
        residents{}; ///< servers among them that live on after a connection, so that they cannot twist: safetpd
    bool residents_run_commands = false; ///< `commands` of [access]: the residents spawn, twist and aclexec by their own means
    bool residents_start_server = false; ///< the raw ftpd is started per session: setenv, umask and nice act on it
    bool wants_explicit_allow = false;   ///< tcpdchk -a: rules of the allow table must end in `allow` or `deny`
    std::set<std::string> exposed{};     ///< files that others than root (or the caller) may write
    std::set<std::string> unwrapped{};   ///< daemons that inetd starts without a wrapper, and that do not ask by themselves
    std::function<std::optional<HostAnswer>(const std::string&)> find_host{}; ///< none: the name service could not be asked
    std::function<bool(const std::string&)> has_netgroup{};                   ///< and that it has members
    std::function<bool(const std::string&)> has_user{};
    std::function<bool(const std::string&)> has_group{};
    std::function<bool(const std::string&)> has_directory{};
};

/// All problems at once: those of the allow table, of the deny table, of the files that they name, each in the order of lines.
/// Cost: n log n in the text, also for rules that others hide.
std::vector<Finding> lint(const TableFiles& files, const LintSettings& settings);

} // namespace safetp::access
