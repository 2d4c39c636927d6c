// What the access tables say to somebody who asks for a daemon, without running anything: hosts_access(5), judged dry.
#pragma once

#include "access/rules.h"
#include "setup/root.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace safetp::setup {

struct Judgement {
    bool is_granted = false;
    std::string why;          ///< "hosts.allow:3", "no rule", "the table is broken"
    bool asked_name = false;  ///< a rule wanted a host name, an ident user or a netgroup, which were taken as unknown
    bool ran_command = false; ///< a rule would have run a program, which was taken to succeed
};

/// One question.
struct Caller {
    std::string daemon;
    std::string client; ///< address
    std::string server; ///< local address
    std::uint16_t port = 0;
    bool is_named = false;          ///< it has a name that checks out and an ident server, as any stranger may have
    bool may_look_up = false;       ///< the server's name
    bool is_this_machine = false;   ///< and the client's
    bool is_by_our_wrapper = false; ///< safetp-tcpd asks, by [access] of safetpd.toml; else the real library
};

using Judge = std::function<Judgement(const Caller&)>;

/// The texts of the two tables; what a plan would make of them can be judged before it is written.
struct TableTexts {
    std::string allow_path = "/etc/hosts.allow"; ///< of the library, within the root
    std::string deny_path = "/etc/hosts.deny";
    std::string our_allow_path = "/etc/hosts.allow"; ///< [access] of safetpd.toml: safetp-tcpd reads these
    std::string our_deny_path = "/etc/hosts.deny";
    access::Reading our_reading = access::Reading::safe;
    std::optional<std::string> new_allow{}; ///< instead of what the library's file has
    std::optional<std::string> new_deny{};
};

/// Compiled once; the judge may be called often and outlives `root`.
Judge make_judge(const Root& root, const TableTexts& texts);

} // namespace safetp::setup
