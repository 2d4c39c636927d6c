#include "process/identity.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace safetp::process {

namespace {

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

void set_limits(rlim_t descriptors)
{
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur >= descriptors)
        return;
    const rlimit raised{descriptors, std::max(descriptors, files.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    files.rlim_cur = std::min(descriptors, files.rlim_max); // not root: as far as the hard limit goes
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

Result<void> drop_privileges(const IdentityChange& change, rlim_t descriptors, pid_t parent)
{
    set_limits(descriptors);
    if (change.is_changed) {
        if (const auto entered = enter_root(change.root); !entered)
            return entered;
        if (const auto became = become(change.user); !became)
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
    if (::getppid() != parent)
        return fail(ErrorCode::supervisor, 0, "the parent process has ended");
    return {};
}

} // namespace safetp::process
