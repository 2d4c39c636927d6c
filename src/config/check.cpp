#include "config/report.h"
#include "config/trusted_path.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <linux/capability.h>
#include <netdb.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::config {

namespace {

/// One object on disk that a key names.
struct Subject {
    const std::string& path;
    std::string name; ///< for messages: "client_ca" in [tls]
    unsigned line;
};

std::optional<struct stat> status_of(const std::string& path)
{
    struct stat status;
    if (::stat(path.c_str(), &status) != 0)
        return std::nullopt;
    return status;
}

bool is_writable_by_others(const struct stat& status) { return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0; }

bool is_owner_trusted(const struct stat& status) { return status.st_uid == 0 || status.st_uid == ::geteuid(); }

void refuse(const Subject& subject, std::string_view what, Report& report)
{
    report.error(subject.line, fmt::format("{}: {} {}", subject.name, in_quotes(subject.path), what));
}

/// False: somebody else may put another thing in its place.
bool check_way(const Subject& subject, Report& report)
{
    const auto distrust = find_distrust(subject.path);
    if (distrust)
        refuse(subject, "is not safe from others: " + *distrust, report);
    return !distrust;
}

/// Exists, is a regular file, and nobody but root and us may change it. Nothing when there was a problem.
std::optional<struct stat> check_file(const Subject& subject, Report& report)
{
    const auto status = status_of(subject.path);
    std::string problem;
    if (!status)
        problem = std::string("cannot be found: ") + std::strerror(errno);
    else if (!S_ISREG(status->st_mode))
        problem = "is not a regular file";
    else if (is_writable_by_others(*status))
        problem = "may be written by its group or by others: chmod go-w";
    else if (!is_owner_trusted(*status))
        problem = "belongs to somebody who is neither root nor the caller, and who may change it";
    else
        return check_way(subject, report) ? status : std::nullopt;
    refuse(subject, problem, report);
    return std::nullopt;
}

std::optional<struct stat> check_readable(const Subject& subject, Report& report)
{
    const auto status = check_file(subject, report);
    if (!status || ::faccessat(AT_FDCWD, subject.path.c_str(), R_OK, AT_EACCESS) == 0)
        return status;
    refuse(subject, fmt::format("cannot be read: {}", std::strerror(errno)), report);
    return std::nullopt;
}

/// A private key; root's group may read it where Debian's ssl-cert group does.
void check_key(const Subject& subject, Report& report)
{
    const auto status = check_readable(subject, report);
    if (!status)
        return;
    const bool is_group_readable = (status->st_mode & S_IRGRP) != 0;
    if ((status->st_mode & S_IROTH) != 0 || (is_group_readable && status->st_uid != 0))
        refuse(subject, "holds a private key and may be read by others: chmod 600", report);
    else if (is_group_readable && status->st_gid != 0)
        report.warning(subject.line, fmt::format("{}: {} holds a private key and may be read by group {}", subject.name,
            in_quotes(subject.path), status->st_gid));
}

void check_program(const Subject& subject, Report& report)
{
    if (!check_file(subject, report))
        return;
    if (::faccessat(AT_FDCWD, subject.path.c_str(), X_OK, AT_EACCESS) != 0)
        refuse(subject, fmt::format("cannot be executed: {}", std::strerror(errno)), report);
}

void check_directory(const Subject& subject, Report& report)
{
    const auto status = status_of(subject.path);
    if (!status)
        refuse(subject, fmt::format("cannot be found: {}", std::strerror(errno)), report);
    else if (!S_ISDIR(status->st_mode))
        refuse(subject, "is not a directory", report);
}

/// The directory of a file that will be made. False: there is none.
bool check_parent(const Subject& subject, Report& report)
{
    const std::string parent = std::filesystem::path(subject.path).parent_path().string();
    const auto status = status_of(parent);
    check_directory({parent, "the directory of " + subject.name, subject.line}, report);
    return status && S_ISDIR(status->st_mode);
}

/// A directory of ours: fit as it is, or one that can be made.
void check_own_directory(const Subject& subject, Report& report)
{
    const auto status = status_of(subject.path);
    if (!status && errno == ENOENT) {
        std::string parent = std::filesystem::path(subject.path).parent_path().string();
        while (!parent.empty() && parent != "/" && !status_of(parent))
            parent = std::filesystem::path(parent).parent_path().string();
        if (::faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
            refuse(subject, fmt::format("does not exist and cannot be made in {}: {}", in_quotes(parent), std::strerror(errno)),
                report);
        else
            check_way(subject, report);
        return;
    }
    if (!status || !S_ISDIR(status->st_mode))
        return check_directory(subject, report);
    if (is_writable_by_others(*status) || !is_owner_trusted(*status))
        refuse(subject, "may be written by others: it must be root's or the caller's, mode 700", report);
    else
        check_way(subject, report);
}

struct Account {
    bool exists = false;
    uid_t uid = 0;
};

Account find_account(const std::string& name)
{
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16384> buffer;
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
        return {};
    return {true, entry.pw_uid};
}

void check_config_file(const std::string& file, Report& report)
{
    const auto status = status_of(file);
    if (!status)
        return report.error(0, std::strerror(errno));
    if (is_writable_by_others(*status))
        report.error(0, "may be written by its group or by others, who could then run commands as safetpd: chmod go-w");
    if (!is_owner_trusted(*status))
        report.error(0, "belongs to somebody who is neither root nor the caller: chown root");
    if (is_writable_by_others(*status) || !is_owner_trusted(*status))
        return;
    if (const auto distrust = find_distrust(file))
        report.error(0, "is not safe from others, who could then run commands as safetpd: " + *distrust);
}

void check_tls(const Tls& tls, Report& report)
{
    for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
        const CertificateFiles& files = tls.certificates[i];
        const std::string path = fmt::format("tls.certificates[{}]", i);
        const Subject certificate{files.certificate, "\"certificate\" in [tls]", report.line_of(path + ".certificate")};
        if (files.key.empty()) {
            check_key(certificate, report); // the key is in the same file
            continue;
        }
        check_readable(certificate, report);
        check_key({files.key, "\"key\" in [tls]", report.line_of(path + ".key")}, report);
    }
    if (!tls.client_ca.empty())
        check_readable({tls.client_ca, "\"client_ca\" in [tls]", report.line_of("tls.client_ca")}, report);
    if (!tls.client_crl.empty())
        check_readable({tls.client_crl, "\"client_crl\" in [tls]", report.line_of("tls.client_crl")}, report);
    if (tls.certificates.empty()) // only then a key is made
        check_own_directory({tls.key_directory, "\"key_directory\" in [tls]", report.line_of("tls.key_directory")}, report);
}

void check_server(const Server& server, Report& report)
{
    if (server.command.empty())
        return;
    check_program({server.command.front(), "\"command\" in [server]", report.line_of("server.command")}, report);
    if (!server.directory.empty())
        check_directory({server.directory, "\"directory\" in [server]", report.line_of("server.directory")}, report);
    if (server.user.empty())
        return;
    const unsigned line = report.line_of("server.user");
    const Account account = find_account(server.user);
    if (!account.exists)
        report.error(line, fmt::format("\"user\" in [server]: there is no user {}", in_quotes(server.user)));
    else if (::geteuid() != 0 && account.uid != ::geteuid())
        report.error(line, fmt::format("\"user\" in [server]: only root can start the raw ftpd as {}", in_quotes(server.user)));
}

/// Whoever may change a table decides who comes in. Some sites mean that, so it is only said.
void check_table(const std::string& path, const std::string& key, Report& report)
{
    if (const auto distrust = find_distrust(path))
        report.warning(report.line_of("access." + key), fmt::format("\"{}\" in [access]: {}", key, *distrust));
}

void check_commands(const Access& access, const Process& process, Report& report)
{
    const unsigned line = report.line_of(report.is_given("access.command_user") ? "access.command_user" : "access.commands");
    const Account account = find_account(access.command_user);
    const Account workers = find_account(process.user);
    if (::geteuid() != 0)
        report.warning(line, "\"commands\" in [access]: without root the rules' commands run as the user who starts safetpd");
    else if (!account.exists)
        report.error(line, fmt::format("\"command_user\" in [access]: there is no user {}", in_quotes(access.command_user)));
    else if (account.uid == 0)
        report.error(line, "\"command_user\" in [access] must not be root: what commands are given comes from the network");
    else if (workers.exists && account.uid == workers.uid)
        report.error(line, fmt::format("\"command_user\" in [access] must not be {}, the \"user\" in [process]: commands could "
                                       "end the workers", in_quotes(process.user)));
}

void check_access(const Config& config, Report& report)
{
    if (!config.access.enabled)
        return;
    check_table(config.access.hosts_allow, "hosts_allow", report);
    check_table(config.access.hosts_deny, "hosts_deny", report);
    if (config.access.commands)
        check_commands(config.access, config.process, report);
}

void check_process(const Process& process, Report& report)
{
    if (!process.pid_file.empty()) {
        const Subject pid_file{process.pid_file, "\"pid_file\" in [process]", report.line_of("process.pid_file")};
        if (check_parent(pid_file, report))
            check_way(pid_file, report);
    }
    if (::geteuid() != 0)
        return; // the rest is about giving up root
    const unsigned line = report.line_of("process.user");
    const Account account = find_account(process.user);
    if (!account.exists)
        report.error(line, fmt::format("\"user\" in [process]: there is no user {}; to make one: useradd --system "
                                       "--no-create-home --shell /usr/sbin/nologin NAME", in_quotes(process.user)));
    else if (account.uid == 0)
        report.error(line, "\"user\" in [process] must not be root: workers read what comes from the network");
    const auto status = status_of(process.chroot);
    if (!status)
        return; // it will be made
    const Subject chroot{process.chroot, "\"chroot\" in [process]", report.line_of("process.chroot")};
    check_own_directory(chroot, report);
    std::error_code error;
    if (S_ISDIR(status->st_mode) && !std::filesystem::is_empty(process.chroot, error))
        refuse(chroot, "is not empty", report);
}

void check_announced_name(const std::string& name, unsigned line, Report& report)
{
    if (name.empty() || IpAddress::parse(name))
        return;
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int result = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
    if (result == 0)
        return ::freeaddrinfo(found);
    report.warning(line,
        fmt::format("the announced name {} has no IPv4 address now: {}", in_quotes(name), ::gai_strerror(result)));
}

void check_data(const Announce& announce, Report& report)
{
    check_announced_name(announce.address, report.line_of("data.announce"), report);
    for (std::size_t i = 0; i < announce.for_clients.size(); ++i) {
        const unsigned line = report.line_of(fmt::format("data.announce_for[{}].address", i));
        check_announced_name(announce.for_clients[i].second, line, report);
    }
}

bool may_bind_privileged_ports()
{
    std::ifstream file("/proc/self/status");
    for (std::string word; file >> word;) {
        if (word != "CapEff:")
            continue;
        std::uint64_t capabilities = 0;
        file >> std::hex >> capabilities;
        return (capabilities >> CAP_NET_BIND_SERVICE & 1) != 0;
    }
    return ::geteuid() == 0;
}

unsigned first_unprivileged_port()
{
    unsigned port = 1024;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> port;
    return port;
}

void check_listeners(const std::vector<Listener>& listeners, Report& report)
{
    if (may_bind_privileged_ports())
        return;
    const unsigned first_free = first_unprivileged_port();
    for (std::size_t i = 0; i < listeners.size(); ++i)
        if (listeners[i].port < first_free)
            report.warning(report.line_of(fmt::format("listener[{}].port", i)),
                fmt::format("port {} of [[listener]] is below {} and needs root or CAP_NET_BIND_SERVICE: start safetpd as "
                            "root, give it AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, or choose a higher "
                            "port",
                    listeners[i].port, first_free));
}

} // namespace

std::vector<Problem> check_machine(const Config& config, const std::string& file, const KeyLines& lines,
    NameService name_service)
{
    Report report(file, lines);
    check_config_file(file, report);
    check_listeners(config.listeners, report);
    check_server(config.server, report);
    check_access(config, report);
    check_tls(config.tls, report);
    if (name_service == NameService::asked)
        check_data(config.data.announce, report);
    if (!config.log.xferlog.empty())
        check_parent({config.log.xferlog, "\"xferlog\" in [log]", report.line_of("log.xferlog")}, report);
    check_process(config.process, report);
    return report.take_problems();
}

} // namespace safetp::config
