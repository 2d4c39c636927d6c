#include "setup/setup.h"

#include "setup/diff.h"
#include "setup/local_addresses.h"
#include "setup/text.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::setup {

namespace {

SetupOutcome give_up(const Error& error)
{
    const std::string text = error.os_error == 0 ? error.context : describe(error);
    fmt::print(stderr, "safetpd setup: {}\n", text);
    if (error.os_error == EACCES || error.os_error == EPERM)
        return SetupOutcome::no_permission;
    return error.code == ErrorCode::bad_config ? SetupOutcome::bad_config : SetupOutcome::failed;
}

void show_changes(const Plan& plan)
{
    for (const std::string& remark : plan.remarks)
        fmt::print("# {}\n", printable(remark));
    for (const Change& change : plan.changes) {
        if (change.is_needed())
            fmt::print("{}",
                unified_diff(change.before.value_or(""), change.after, change.before ? change.path : "/dev/null", change.path));
    }
}

/// inetd's process: what its file says, if that is an inetd of our own network namespace.
pid_t find_inetd()
{
    const Root machine;
    const auto text = machine.read("/run/inetd.pid");
    pid_t pid = 0;
    if (!text || !*text)
        return 0;
    const std::string_view digits = trim(split_lines(**text).empty() ? std::string_view() : split_lines(**text)[0].text);
    std::from_chars(digits.data(), digits.data() + digits.size(), pid);
    const std::string place = fmt::format("/proc/{}", pid);
    const auto name = machine.read(place + "/comm");
    const bool is_inetd = pid > 1 && name && *name && (*name)->find("inetd") != std::string::npos;
    return is_inetd && machine.read_link(place + "/ns/net") == machine.read_link("/proc/self/ns/net") ? pid : 0;
}

/// Whether inetd was told; else the administrator has to.
bool wake_inetd(const Root& root)
{
    const pid_t pid = root.is_live() ? find_inetd() : 0;
    if (pid == 0 || ::kill(pid, SIGHUP) != 0)
        return false;
    fmt::print("inetd (process {}) was told to read its configuration again.\n", pid);
    return true;
}

SetupOutcome undo(const Root& root, const SetupOptions& options)
{
    const auto undone = undo_changes(root, options.force);
    if (!undone)
        return give_up(undone.error());
    if (undone->is_nothing()) {
        fmt::print("Nothing to undo.\n");
        return SetupOutcome::done;
    }
    bool is_inetd = false;
    for (const std::string& path : undone->restored) {
        fmt::print("put back: {}\n", path);
        is_inetd = is_inetd || path.starts_with("/etc/inetd");
    }
    for (const std::string& path : undone->removed)
        fmt::print("removed: {}\n", path);
    for (const std::string& path : undone->kept)
        fmt::print("a version that was changed since is kept: {}\n", path);
    if (is_inetd && !wake_inetd(root))
        fmt::print("Now run, if inetd is running:\n  kill -HUP \"$(cat /run/inetd.pid)\"\n");
    fmt::print("Services that were stopped or started are left as they are: systemctl status shows them.\n");
    return SetupOutcome::done;
}

SetupOutcome apply(const Root& root, const Plan& plan)
{
    if (const auto applied = apply_changes(root, plan.changes); !applied)
        return give_up(applied.error());
    fmt::print("\nDone. What was replaced is kept in {}; safetpd setup --undo puts it back.\n", kStateDirectory);
    const bool was_told = plan.changes_inetd && wake_inetd(root);
    fmt::print("Now run:\n");
    for (const std::string& line : plan.commands) {
        if (!was_told || line.find("/run/inetd.pid") == std::string::npos)
            fmt::print("  {}\n", line);
    }
    return SetupOutcome::done;
}

} // namespace

SetupOutcome set_up(const SetupOptions& options)
{
    const Root root(options.root);
    if (options.undo)
        return undo(root, options);
    const auto plan = make_plan(root, {options.backend, options.ftpd, options.config, local_addresses()});
    if (!plan)
        return give_up(plan.error());
    show_changes(*plan);
    if (!plan->is_needed()) {
        fmt::print("Nothing to do: all is as it is to be.\n");
        return SetupOutcome::done;
    }
    if (options.apply)
        return apply(root, *plan);
    fmt::print("\nNothing was changed. safetpd setup --apply does it, and then asks for these commands:\n");
    for (const std::string& line : plan->commands)
        fmt::print("  {}\n", line);
    return SetupOutcome::done;
}

} // namespace safetp::setup
