#include "supervisor/worker_identity.h"

#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::supervisor {

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

Result<process::IdentityChange> plan_worker_identity(const config::Process& settings)
{
    process::IdentityChange plan;
    if (::geteuid() != 0)
        return plan;
    auto user = process::find_user(settings.user);
    if (!user || user->uid == 0) {
        const std::string why = user
            ? fmt::format("[process] user {} is root; workers read network bytes and must not be", settings.user)
            : fmt::format("[process] user {} does not exist", settings.user);
        return fail(ErrorCode::bad_config, 0, why + "; create one with: systemd-sysusers, or "
                "useradd --system --no-create-home --shell /usr/sbin/nologin " + (user ? "safetp" : settings.user));
    }
    plan.is_changed = true;
    plan.user = std::move(*user);
    plan.user.groups.clear(); // a worker needs no group's files
    plan.root = settings.chroot;
    if (!plan.root.empty()) {
        if (const auto prepared = prepare_empty_root(plan.root); !prepared)
            return std::unexpected(prepared.error());
    }
    return plan;
}

} // namespace safetp::supervisor
