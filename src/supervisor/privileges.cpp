#include "supervisor/privileges.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr rlim_t kDescriptorsPerSession = 8; ///< two control and two data connections, two listeners, and two in reserve
constexpr rlim_t kDescriptorsOfProcess = 128;

Result<Identity> from_passwd(const passwd* entry, const std::string& wanted)
{
    if (entry == nullptr)
        return fail(ErrorCode::bad_config, 0, wanted);
    Identity identity{entry->pw_uid, entry->pw_gid, {}, entry->pw_name, entry->pw_dir, entry->pw_shell};
    int count = 64;
    identity.groups.resize(static_cast<std::size_t>(count));
    while (::getgrouplist(entry->pw_name, entry->pw_gid, identity.groups.data(), &count) < 0)
        identity.groups.resize(static_cast<std::size_t>(count));
    identity.groups.resize(static_cast<std::size_t>(count));
    return identity;
}

/// Ambient and permitted capabilities, which a service manager may have given to an ordinary user for port 21.
Result<void> drop_capabilities()
{
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) != 0)
        return fail(ErrorCode::system_call, errno, "giving up capabilities");
    return {};
}

Result<void> enter_root(const std::string& root)
{
    if (root.empty())
        return {};
    if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0)
        return fail(ErrorCode::system_call, errno, "chroot to " + root);
    return {};
}

void set_limits(unsigned max_sessions)
{
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    const rlim_t wanted = kDescriptorsPerSession * max_sessions + kDescriptorsOfProcess;
    if (files.rlim_cur >= wanted)
        return;
    const rlimit raised{wanted, std::max(wanted, files.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    files.rlim_cur = std::min(wanted, files.rlim_max); // not root: as far as the hard limit goes
    ::setrlimit(RLIMIT_NOFILE, &files);
}

} // namespace

Result<Identity> find_user(const std::string& name) { return from_passwd(::getpwnam(name.c_str()), "no user " + name); }

Result<Identity> find_user(uid_t uid) { return from_passwd(::getpwuid(uid), fmt::format("no user with the number {}", uid)); }

Result<void> become(const Identity& identity)
{
    if (::setgroups(identity.groups.size(), identity.groups.data()) != 0)
        return fail(ErrorCode::system_call, errno, "setgroups");
    if (::setresgid(identity.gid, identity.gid, identity.gid) != 0)
        return fail(ErrorCode::system_call, errno, "setresgid");
    if (::setresuid(identity.uid, identity.uid, identity.uid) != 0)
        return fail(ErrorCode::system_call, errno, "setresuid");
    if (identity.uid != 0 && (::setuid(0) == 0 || ::geteuid() != identity.uid))
        return fail(ErrorCode::supervisor, 0, "root could be taken back after it was given up");
    return {};
}

Result<void> prepare_empty_root(const std::string& path)
{
    std::error_code error;
    const std::filesystem::path directory(path);
    const mode_t old_mask = ::umask(022);
    std::filesystem::create_directories(directory, error);
    ::umask(old_mask);
    if (error)
        return fail(ErrorCode::bad_file, error.value(), "[process] chroot " + path);
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        return fail(ErrorCode::bad_file, 0, fmt::format("[process] chroot {} is not a directory", path));
    if (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(ErrorCode::bad_file, 0,
            fmt::format("[process] chroot {} must be root's and writable by nobody else: chown root {} && chmod 755 {}", path,
                path, path));
    const bool is_empty = std::filesystem::is_empty(directory, error);
    if (error || !is_empty)
        return fail(ErrorCode::bad_file, error.value(), fmt::format("[process] chroot {} must be empty", path));
    return {};
}

Result<WorkerIdentity> plan_worker_identity(const config::Process& process)
{
    WorkerIdentity plan;
    if (::geteuid() != 0)
        return plan;
    auto user = find_user(process.user);
    if (!user || user->uid == 0) {
        const std::string why = user
            ? fmt::format("[process] user {} is root; workers read network bytes and must not be", process.user)
            : fmt::format("[process] user {} does not exist", process.user);
        return fail(ErrorCode::bad_config, 0, why + "; create one with: systemd-sysusers, or "
                "useradd --system --no-create-home --shell /usr/sbin/nologin " + (user ? "safetp" : process.user));
    }
    plan.is_changed = true;
    plan.user = std::move(*user);
    plan.user.groups.clear(); // a worker needs no group's files
    plan.root = process.chroot;
    if (!plan.root.empty()) {
        if (const auto prepared = prepare_empty_root(plan.root); !prepared)
            return std::unexpected(prepared.error());
    }
    return plan;
}

Result<void> drop_privileges(const WorkerIdentity& identity, unsigned max_sessions, pid_t supervisor_pid)
{
    set_limits(max_sessions);
    if (identity.is_changed) {
        if (const auto entered = enter_root(identity.root); !entered)
            return entered;
        if (const auto became = become(identity.user); !became)
            return became;
    }
    if (const auto dropped = drop_capabilities(); !dropped)
        return dropped;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "PR_SET_NO_NEW_PRIVS");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "PR_SET_DUMPABLE");
    // After the change of identity, which would clear it.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "PR_SET_PDEATHSIG");
    if (::getppid() != supervisor_pid)
        return fail(ErrorCode::supervisor, 0, "the supervisor ended before its worker began");
    return {};
}

} // namespace safetp::supervisor
