// The one way to start a helper of ours: a child that executes this program anew, so that nothing of its parent's memory is in
// it, and keeps none of its descriptors but those that it is given.
#pragma once

#include "process/identity.h"
#include "process/landlock.h"
#include "process/sandbox.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace safetp::process {

/// Those that terminals, service managers and administrators send to a whole service. Its first process obeys them.
enum class SignalsToService { obeyed, ignored };

/// All signals as they are at a program's start, but for these, and none blocked.
void reset_signals(SignalsToService to_service);

/// Brings `wanted` to the numbers `first`, `first` + 1, ... and closes everything behind them. For a child before execve(2).
bool keep_only(const std::vector<int>& wanted, int first);

struct HelperOrder {
    std::string role;                 ///< one of Role::name; ps(1) shows "safetpd: ROLE"
    std::string text{};               ///< what is to be done, as the role reads it; 100 KiB at most
    std::vector<int> descriptors{};   ///< borrowed: the helper's own copies, in this order
    IdentityChange identity{};        ///< for confine()
    int streams = -1;                 ///< borrowed: its standard input and outputs; -1: /dev/null
};

struct Child {
    pid_t pid = -1;   ///< the caller reaps it
    UniqueFd channel; ///< SOCK_SEQPACKET, blocking
};

/// Executes the image that is running, also where its file was replaced meanwhile. A helper that cannot begin ends with another
/// status than 0. system_call: no process, or no /proc.
Result<Child> start_helper(const HelperOrder& order);

/// What a helper finds at its birth.
struct Helper {
    UniqueFd channel; ///< to whoever started it
    std::string text{};
    std::vector<UniqueFd> descriptors{};
    IdentityChange identity{};
    pid_t parent = -1;
};

struct Confinement {
    rlim_t descriptors = 64;
    FileAccess files = FileAccess::none;
    std::optional<PortRanges> ports = PortRanges(); ///< TCP; none given is any
    std::optional<SystemCalls> calls = SystemCalls::worker;
};

/// For good, before it reads what strangers wrote: identity and all that drop_privileges() says, Landlock, system calls.
Result<void> confine(const Helper& helper, const Confinement& confinement);

struct Role {
    const char* name;
    int (*main)(Helper& helper); ///< gives the exit status
};

/// First of all in main(): where this process was started by start_helper() it does what it was started for, and ends. Whoever
/// else starts it like that gets a process that can do nothing that he cannot.
void run_if_helper(int argc, char* const* argv, std::span<const Role> roles);

} // namespace safetp::process
