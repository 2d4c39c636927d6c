#include "setup/setup.h"

#include "setup/diff.h"
#include "setup/local_addresses.h"
#include "setup/machine.h"
#include "setup/text.h"

#include <algorithm>
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

/// Whether a process is an inetd of our own network and files: other containers have theirs.
bool is_our_inetd(const Root& machine, const std::string& pid)
{
    const std::string place = "/proc/" + pid;
    const std::string name = machine.read_text(place + "/comm");
    const auto is_ours = [&](const char* space) {
        return machine.read_link(place + space) == machine.read_link(std::string("/proc/self") + space);
    };
    const bool is_inetd = name == "inetd\n" || name.starts_with("openbsd-inetd") || name.starts_with("inetutils-inet");
    return is_inetd && is_ours("/ns/net") && is_ours("/ns/mnt");
}

/// The process that its file names, else the oldest of that name; 0: none.
pid_t find_inetd()
{
    const Root machine;
    const std::string file = machine.read_text("/run/inetd.pid");
    std::vector<std::string> candidates{std::string(trim(std::string_view(file).substr(0, file.find('\n'))))};
    for (std::string& name : machine.list("/proc"))
        candidates.push_back(std::move(name));
    pid_t found = 0;
    for (const std::string& name : candidates) {
        pid_t pid = 0;
        const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error != std::errc() || rest != name.data() + name.size() || pid <= 1 || !is_our_inetd(machine, name))
            continue;
        if (&name == &candidates.front())
            return pid;
        found = found == 0 ? pid : std::min(found, pid);
    }
    return found;
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
    for (const std::string& path : undone->restored)
        fmt::print("put back: {}\n", path);
    for (const std::string& path : undone->removed)
        fmt::print("removed: {}\n", path);
    for (const std::string& path : undone->kept)
        fmt::print("a version that was changed since is kept: {}\n", path);
    if (std::ranges::any_of(undone->restored, [](const std::string& path) { return path.starts_with("/etc/inetd"); }))
        wake_inetd(root);
    if (undone->commands.empty()) {
        fmt::print("FTP is served again as before; nothing is to be run.\n");
        return SetupOutcome::done;
    }
    // inetd once more, though it was told: it could not take a port that another server still had.
    fmt::print("Services are left as they are. So that FTP is served again as before, now run:\n");
    for (const std::string& line : undone->commands)
        fmt::print("  {}\n", line);
    return SetupOutcome::done;
}

SetupOutcome apply(const Root& root, const Plan& plan)
{
    if (const auto applied = apply_changes(root, plan.changes, plan.undo_commands); !applied)
        return give_up(applied.error());
    fmt::print("\nDone. What was replaced is kept in {}; safetpd setup --undo puts it back.\n", kStateDirectory);
    const bool was_told = plan.changes_inetd && wake_inetd(root);
    fmt::print("Now run:\n");
    for (const std::string& line : plan.commands) {
        if (!was_told || line != plan.inetd_reload)
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
