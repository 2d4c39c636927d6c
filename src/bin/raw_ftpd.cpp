#include "bin/raw_ftpd.h"

#include "config/trusted_path.h"

#include <array>
#include <cerrno>
#include <crypt.h>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <grp.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

FtpdKind recognise(const std::string& path)
{
    const std::string name = std::filesystem::path(path).filename().string();
    if (name == "vsftpd")
        return FtpdKind::vsftpd;
    if (name == "proftpd" || name == "in.proftpd")
        return FtpdKind::proftpd;
    return name == "pure-ftpd" ? FtpdKind::pure_ftpd : FtpdKind::unknown;
}

std::string find_program(const std::string& name)
{
    const char* path = std::getenv("PATH");
    std::string directories = std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin";
    for (std::size_t begin = 0; begin < directories.size();) {
        const std::size_t end = std::min(directories.find(':', begin), directories.size());
        const std::string candidate = directories.substr(begin, end - begin) + "/" + name;
        const bool is_absolute = candidate.front() == '/' && candidate.size() > name.size() + 1;
        if (is_absolute && ::access(candidate.c_str(), X_OK) == 0 && !config::find_distrust(candidate))
            return candidate;
        begin = end + 1;
    }
    return {};
}

Result<std::string> write_file(const Share& share, const std::string& name, const std::string& text)
{
    const std::string path = share.private_directory + "/" + name;
    const int fd = ::openat(share.private_descriptor, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(ErrorCode::bad_file, errno, path);
    const bool is_whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    return is_whole ? Result<std::string>(path) : fail(ErrorCode::bad_file, EIO, path);
}

/// SHA-512 crypt(3), which all of them read.
Result<std::string> hash_password(const std::string& password)
{
    std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> salt{};
    crypt_data data{};
    const bool has_salt = ::crypt_gensalt_rn("$6$", 0, nullptr, 0, salt.data(), static_cast<int>(salt.size())) != nullptr;
    const char* hash = has_salt ? ::crypt_r(password.c_str(), salt.data(), &data) : nullptr;
    if (hash == nullptr || hash[0] == '*')
        return fail(ErrorCode::system_call, errno, "crypt");
    return std::string(hash);
}

/// vsftpd has no virtual users without PAM, but a list of passwords for its anonymous one. As root it then locks itself into
/// the directory (chroot) as the user ftp; as an ordinary user it can do neither.
Result<std::vector<std::string>> configure_vsftpd(const Ftpd& ftpd, const Share& share)
{
    const auto passwords = write_file(share, "passwords", share.password + "\n");
    if (!passwords)
        return std::unexpected(passwords.error());
    const std::string empty = share.private_directory + "/empty";
    ::mkdirat(share.private_descriptor, "empty", 0755);
    std::string text = "listen=NO\nlocal_enable=NO\nanonymous_enable=YES\nsecure_email_list_enable=YES\n"
                       "write_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n"
                       "anon_world_readable_only=NO\nanon_umask=022\nseccomp_sandbox=NO\n"
                       "xferlog_enable=NO\nno_log_lock=YES\ndirmessage_enable=NO\n";
    text += fmt::format("email_password_file={}\nanon_root={}\n", *passwords, share.directory);
    text += share.is_root ? fmt::format("ftp_username={}\nnopriv_user=nobody\nsecure_chroot_dir={}\n", share.account, empty)
                          : fmt::format("run_as_launching_user=YES\nftp_username={0}\nnopriv_user={0}\n", share.account);
    const auto file = write_file(share, "vsftpd.conf", text);
    if (!file)
        return std::unexpected(file.error());
    return std::vector<std::string>{ftpd.path, *file};
}

Result<std::vector<std::string>> configure_proftpd(const Ftpd& ftpd, const Share& share)
{
    const auto hash = hash_password(share.password);
    if (!hash)
        return std::unexpected(hash.error());
    const auto users = write_file(share, "users",
        fmt::format("{}:{}:{}:{}::{}:/bin/sh\n", share.user, *hash, share.uid, share.gid, share.directory));
    if (!users)
        return std::unexpected(users.error());
    std::string text
        = "ServerName \"safetpd serve\"\nServerType inetd\nDefaultServer on\nUseReverseDNS off\n"
          "AuthOrder mod_auth_file.c\nRequireValidShell off\nWtmpLog off\nSystemLog none\nTransferLog none\n"
          "ScoreboardFile none\nAllowOverwrite on\nAllowStoreRestart on\nUmask 022\n"
          "<IfModule mod_auth_pam.c>\nAuthPAM off\n</IfModule>\n<IfModule mod_delay.c>\nDelayEngine off\n</IfModule>\n";
    const group* const entry = ::getgrgid(share.gid);
    text += fmt::format("User \"{}\"\nGroup \"{}\"\nAuthUserFile \"{}\"\nPidFile \"{}/pid\"\n", share.account,
        entry == nullptr ? "nogroup" : entry->gr_name, *users, share.private_directory);
    if (share.is_root)
        text += "DefaultRoot ~\n";
    else
        text += fmt::format("<Directory />\n<Limit ALL>\nDenyAll\n</Limit>\n</Directory>\n"
                            "<Directory \"{}\">\n<Limit ALL>\nAllowAll\n</Limit>\n</Directory>\n", share.directory);
    const auto file = write_file(share, "proftpd.conf", text);
    if (!file)
        return std::unexpected(file.error());
    return std::vector<std::string>{ftpd.path, "-c", *file};
}

Result<void> run_program(std::vector<std::string> arguments)
{
    std::vector<char*> pointers;
    for (std::string& argument : arguments)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ);
    int status = -1;
    if (error != 0 || ::waitpid(pid, &status, 0) != pid || status != 0)
        return fail(ErrorCode::system_call, error, arguments[0] + " failed");
    return {};
}

Result<std::vector<std::string>> configure_pure_ftpd(const Ftpd& ftpd, const Share& share)
{
    const auto hash = hash_password(share.password);
    if (!hash)
        return std::unexpected(hash.error());
    // The fields after the directory are limits; "/./" is where pure-ftpd locks itself in.
    const auto users = write_file(share, "users",
        fmt::format("{}:{}:{}:{}::{}/./::::::::::::\n", share.user, *hash, share.uid, share.gid, share.directory));
    if (!users)
        return std::unexpected(users.error());
    const std::string tool = find_program("pure-pw");
    if (tool.empty())
        return fail(ErrorCode::bad_file, ENOENT, "pure-pw, which belongs to pure-ftpd");
    const std::string database = share.private_directory + "/users.pdb";
    if (const auto made = run_program({tool, "mkdb", database, "-f", *users}); !made)
        return std::unexpected(made.error());
    return std::vector<std::string>{ftpd.path, "-l", "puredb:" + database, "-A", "-E", "-H", "-U", "133:022"};
}

Result<Ftpd> check_wanted(const std::string& wanted, bool is_root)
{
    const std::string path = wanted.find('/') == std::string::npos ? find_program(wanted) : wanted;
    if (path.empty() || ::access(path.c_str(), X_OK) != 0)
        return fail(ErrorCode::bad_file, ENOENT, "--ftpd " + wanted);
    if (const auto distrust = config::find_distrust(path))
        return fail(ErrorCode::bad_file, 0, fmt::format("--ftpd {} is not safe from others: {}", wanted, *distrust));
    std::error_code error;
    const Ftpd ftpd{recognise(path), std::filesystem::absolute(path, error).string()};
    if (ftpd.kind == FtpdKind::pure_ftpd && !is_root)
        return fail(ErrorCode::bad_file, 0, "pure-ftpd lets nobody in unless root starts it; run this as root or use proftpd");
    return ftpd;
}

} // namespace

Result<Ftpd> find_ftpd(const std::string& wanted, bool is_root)
{
    std::vector<std::string> names{"proftpd", "vsftpd"};
    if (is_root)
        names.insert(names.begin() + 1, "pure-ftpd");
    if (!wanted.empty())
        return check_wanted(wanted, is_root);
    for (const std::string& name : names) {
        if (const std::string path = find_program(name); !path.empty())
            return Ftpd{recognise(path), path};
    }
    return fail(ErrorCode::bad_file, 0,
        fmt::format(
            "no raw ftpd found that can share this directory ({}); install one, as in: apt-get install proftpd-core; or "
            "name it with --ftpd",
            fmt::join(names, ", ")));
}

std::string login_name(FtpdKind kind)
{
    // vsftpd lets in its anonymous user only; pure-ftpd takes the name "ftp" for its own, closed one.
    return kind == FtpdKind::vsftpd ? "ftp" : "guest";
}

Result<std::vector<std::string>> configure(const Ftpd& ftpd, const Share& share)
{
    switch (ftpd.kind) {
    case FtpdKind::vsftpd: return configure_vsftpd(ftpd, share);
    case FtpdKind::proftpd: return configure_proftpd(ftpd, share);
    case FtpdKind::pure_ftpd: return configure_pure_ftpd(ftpd, share);
    case FtpdKind::unknown: break;
    }
    return std::vector<std::string>{ftpd.path};
}

bool is_confined(const Ftpd& ftpd, const Share& share)
{
    return ftpd.kind == FtpdKind::proftpd || ftpd.kind == FtpdKind::pure_ftpd
        || (ftpd.kind == FtpdKind::vsftpd && share.is_root);
}

} // namespace safetp::bin
