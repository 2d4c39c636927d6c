// hosts_access(5)'s decision about one connection as a machine without files, sockets or clock: it says what it needs to know
// next, the caller finds it out (blocking in safetp-tcpd, asynchronously in safetpd) and says so. Lookups are lazy exactly as
// libwrap's are.
//
#pragma once

#include "access/request.h"
#include "access/tables.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace safetp::access {

/// A log line. `level` as in syslog(3): "err", "warning", "info", "debug", or "daemon.warning" where a rule's severity counts.
struct Report {
    std::string level;
    std::string text;
    bool operator==(const Report&) const = default;
};

// ---- what the machine asks for ----

struct LookUp {              ///< answer: learn()
    Fact fact;
    unsigned seconds = 0;    ///< for client_user: what `rfc931 N` set; 0: the configured time
};

struct AskNetgroup {         ///< innetgr(3); answer: answer_netgroup()
    std::string group;       ///< case kept
    std::string host;
};

enum class CommandKind { spawn, aclexec };

struct RunCommand {          ///< sh -c; answer: answer_command(exit status)
    CommandKind kind;
    std::string command;     ///< expanded and cleaned
};

struct ApplyKeepalive {};
struct ApplyLinger { int seconds; };
struct ApplyUmask { unsigned mask; };
struct ApplyNice { int increment; };
struct ApplySetenv { std::string name, value; };
/// Answer ENOENT where there is no such user (or group). check_only: strict; libwrap looks the names up and changes nothing
/// (B2).
struct ApplyUser { std::string user, group; bool check_only = false; };   ///< group may be empty; it has been checked before
struct ApplyGroup { std::string group; bool check_only = false; };
struct SendBanner { std::string text; };         ///< CRLF line ends, expanded; goes to the client

/// What an option does to the connection or the process; answer: answer_effect(errno or 0).
using Effect = std::variant<ApplyKeepalive, ApplyLinger, ApplyUmask, ApplyNice, ApplySetenv, ApplyUser, ApplyGroup, SendBanner>;

enum class Outcome { granted, denied, error, twisted, exited }; ///< error: denied by a bad option; exited: B11, strict only

struct Position {            ///< FILE:LINE of a rule
    TableName table;
    unsigned line;
    bool operator==(const Position&) const = default;
};

struct Verdict {
    Outcome outcome = Outcome::denied;
    std::optional<Position> matched; ///< the last rule whose lists matched, even if aclexec took it back
    std::string twist;            ///< for twisted: the command, expanded; the connection is its standard input and outputs
    std::string severity;         ///< "facility.level" of a severity option; empty: the caller's own
    bool granted() const { return outcome == Outcome::granted; }
};

using Step = std::variant<LookUp, AskNetgroup, RunCommand, Effect, Verdict>;

// ---- how it is told to decide ----

/// What outlives one request in a process that links libwrap (its bugs B1 and B6); strict keeps it, safe ignores it.
struct LibraryState {
    bool aclexec_failed = false;
    unsigned rfc931_seconds = 10;
    std::string severity;
    std::string context_file;   ///< what the prefix of the next messages outside any rule says; empty: nothing
    unsigned context_line = 0;
};

struct Settings {
    bool resident = true;         ///< libwrap's guess: the process goes on to serve others, so twist is an error (strict)
    bool twist_allowed = true;    ///< safe: whether the caller can hand the connection over
    bool dry_run = false;         ///< as tcpdmatch: options have no effect, twist ends as twisted ("delegated")
    LibraryState* state = nullptr; ///< strict only; none: a fresh one
};

/// One thing that was looked at, for people: what `safetpd explain` prints.
struct Trace {
    enum class Kind { rule, daemon_pattern, client_pattern, user_pattern, except, lookup, netgroup, option, table_end } kind;
    Position position;
    std::string text;             ///< the rule, pattern or option, or what was looked up
    bool matched = false;
    std::string detail;           ///< a result or a reason; may be empty
};

/// Not copied while it runs. One verdict per object.
class Evaluation {
public:
    Evaluation(const Tables& tables, Request request, Settings settings);
    Evaluation(Evaluation&&) noexcept;
    ~Evaluation();

    Step start();
    Step learn(const std::string& value);       ///< to LookUp
    Step answer_netgroup(bool member);
    /// `killed_by`: the signal that ended it, and then which process it was; 0: none did, and exit_status counts.
    Step answer_command(int exit_status, int killed_by = 0, int process_id = 0);
    Step answer_effect(int os_error);

    const Request& request() const;             ///< with what was looked up so far
    std::vector<Report> take_reports();         ///< since the last call, in order
    /// `warning: FILE, line N: TEXT` at the rule being looked at, as libwrap words what a lookup has to say.
    Report warning(std::string_view text) const;
    void record(std::vector<Trace>* trace);     ///< before start(); must outlive the evaluation

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

/// `[user@]host` of the log lines with what is already known, as libwrap's eval_client() gives it; and the daemon's side.
std::string client_text(const Request& request);

/// Expands % sequences with libwrap's cleaning of what is inserted. hosts_access(5), "% EXPANSIONS".
/// A name or user that is not known yet is given as a LookUp in `missing`; the caller learns it and expands again.
struct Expansion {
    std::string text;
    std::optional<Fact> missing;
    std::vector<Report> reports;
};
Expansion expand(std::string_view text, const Request& request);

} // namespace safetp::access
