// One question to the access tables and its answer, as tests/conformance/README.md describes them: what the runner of the
// cases, the driver of the real library and the generator share. hosts_access(5), hosts_options(5).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace safetp::conformance {

/// What a table is on disk.
enum class TableKind { file, missing, directory, symlink_loop, dangling };

/// The files and netgroups that a question is asked about.
struct Scene {
    TableKind allow_kind = TableKind::missing;
    TableKind deny_kind = TableKind::missing;
    std::string allow, deny;                                   ///< text of a table of kind `file`
    std::map<std::string, std::string> files;                  ///< below the directory that the texts call @DIR@
    std::map<std::string, std::vector<std::string>> netgroups; ///< exact host texts
};

/// One connection. Names and the user are what a lookup would yield.
struct Question {
    std::string daemon;
    std::string client_addr = "unknown", client_name = "unknown", client_user = "unknown";
    std::string server_addr = "unknown", server_name; ///< empty: unknown
    int client_port = 40000, server_port = 21;        ///< -1: that endpoint is not known
    bool resident = true;
    bool hosts_ctl = false;  ///< asked by hosts_ctl(3): no endpoints, no lookups
    bool bad_socket = false; ///< setsockopt(2) fails; only the differential test asks so
    bool keep_state = false; ///< in the process that answered the question before; only the differential test asks so
};

struct Answer {
    std::string outcome;                        ///< granted, denied, error, twisted or exited
    std::optional<std::string> matched;         ///< "allow:3"
    std::vector<std::string> lookups;           ///< client_name, client_user, server_name
    std::vector<std::string> diag;              ///< "severity: text"
    std::map<std::string, std::string> effects; ///< numbers in decimal, umask in octal, true as "true"
    std::vector<std::string> events; ///< everything that was looked up, run and set, in order; differential test only

    bool granted() const { return outcome == "granted"; }
};

struct Case {
    std::string id;
    std::vector<std::string> tags;
    Scene scene;
    Question question;
    Answer expected;
    std::string note;

    bool has_tag(const std::string& tag) const;
};

/// One line for each thing in which `got` is not what was expected; empty: equal. System error texts in diag may vary.
std::vector<std::string> differences(const Answer& expected, const Answer& got);

/// `text` with each `from` replaced.
std::string replaced(std::string text, const std::string& from, const std::string& to);

/// The line as it is compared: with "<system error>" where it ends in a text of strerror(3), without a process' number.
std::string without_system_error(const std::string& line);

} // namespace safetp::conformance
