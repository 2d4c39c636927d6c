#include "explain/check_tables.h"

#include "access/lint.h"
#include "explain/inetd_services.h"
#include "explain/judge.h"
#include "explain/settled_tables.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <grp.h>
#include <iterator>
#include <memory>
#include <netdb.h>
#include <pwd.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::explain {

namespace {

constexpr const char* kInetdConf = "/etc/inetd.conf";
/// Daemons that ask the tables by themselves, where inetd.conf does not name them.
constexpr const char* kLinkedDaemons[] = {"sshd", "vsftpd", "proftpd", "stunnel", "stunnel4", "rpcbind", "slapd", "mountd",
    "statd", "rquotad", "xinetd", "sendmail", "dovecot", "portmap", "nfsd"};

struct AddressList {
    int error; ///< of getaddrinfo(3)
    std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> first;
};

bool is_exposed(const std::string& path)
{
    struct stat status { };
    if (::stat(path.c_str(), &status) != 0)
        return false;
    return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 || (status.st_uid != 0 && status.st_uid != ::geteuid());
}

AddressList find_addresses(const std::string& name)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_CANONNAME;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
    return {error, {error == 0 ? list : nullptr, &::freeaddrinfo}};
}

/// A name service that does not answer is waited for once, not for each of a thousand names; names not asked about count as
/// good.
class HostFinder {
public:
    std::optional<access::HostAnswer> operator()(const std::string& name)
    {
        if (!is_answering_ || ++asked_ > kMostNames)
            return access::HostAnswer{true, ""};
        const AddressList found = find_addresses(name);
        is_answering_ = found.error != EAI_AGAIN && found.error != EAI_SYSTEM;
        if (!is_answering_)
            return std::nullopt;
        if (found.error != 0)
            return access::HostAnswer{};
        return access::HostAnswer{
            true, found.first->ai_canonname ? found.first->ai_canonname : "", find_strays(found.first.get(), name)};
    }

private:
    /// The addresses that do not lead back to the name, which is how a client is called.
    std::vector<std::string> find_strays(const addrinfo* list, const std::string& name)
    {
        std::vector<std::string> strays;
        for (unsigned count = 0; list != nullptr && is_answering_ && count < kMostAddresses; list = list->ai_next, ++count) {
            SocketAddress address;
            std::memcpy(address.get(), list->ai_addr, list->ai_addrlen);
            address.length = list->ai_addrlen;
            const auto endpoint = from_socket_address(address);
            if (!endpoint)
                continue;
            const auto begin = std::chrono::steady_clock::now();
            const wrapper::NameFinding found = wrapper::look_up_name_within(endpoint->address, kReverseTime);
            is_answering_ = std::chrono::steady_clock::now() - begin < kReverseTime;
            if (is_answering_ && ::strcasecmp(found.value.c_str(), name.c_str()) != 0)
                strays.push_back(fmt::format("{} ({})", endpoint->address.to_string(),
                    printable(found.warning.empty() ? found.value : found.warning)));
        }
        return strays;
    }

    static constexpr unsigned kMostNames = 1000;
    static constexpr unsigned kMostAddresses = 8;
    static constexpr std::chrono::seconds kReverseTime{5};
    bool is_answering_ = true;
    unsigned asked_ = 0;
};

/// netgroup(5): it has a member, if only one without a name.
bool has_netgroup(const std::string& name)
{
    char *host = nullptr, *user = nullptr, *domain = nullptr;
    const bool has_member = ::setnetgrent(name.c_str()) == 1 && ::getnetgrent(&host, &user, &domain) == 1;
    ::endnetgrent();
    return has_member;
}

bool has_directory(const std::string& path)
{
    struct stat status { };
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool asks_by_itself(const std::string& daemon)
{
    return std::ranges::find(kLinkedDaemons, daemon) != std::end(kLinkedDaemons);
}

std::vector<std::string> own_names(const config::Config& config)
{
    std::vector<std::string> names{config.access.daemon};
    for (const config::Listener& listener : config.listeners) {
        if (!listener.daemon.empty())
            names.push_back(listener.daemon);
    }
    return names;
}

/// tcpdchk's check; empty where no inetd.conf says what there is.
std::vector<std::string> known_daemons(const config::Config& config, const std::vector<InetdService>& services)
{
    if (services.empty())
        return {};
    std::vector<std::string> names = own_names(config);
    for (const InetdService& service : services)
        names.push_back(service.name);
    if (!config.server.command.empty()) {
        const std::string& program = config.server.command.front();
        names.push_back(program.substr(program.rfind('/') + 1)); // npos + 1 is 0
    }
    names.insert(names.end(), std::begin(kLinkedDaemons), std::end(kLinkedDaemons));
    return names;
}

std::vector<InetdService> read_inetd_conf()
{
    const access::FileText inetd = wrapper::read_file(kInetdConf);
    return inetd.state == access::FileText::State::text ? inetd_services(inetd.text) : std::vector<InetdService>{};
}

/// Wrapped lines that lead nowhere: who is let in meets nobody.
std::vector<config::Problem> check_inetd(const std::vector<InetdService>& services)
{
    std::vector<config::Problem> problems;
    const auto warn = [&](const InetdService& service, std::string text) {
        problems.push_back({.severity = config::Problem::Severity::warning,
            .file = kInetdConf,
            .line = service.line,
            .text = std::move(text)});
    };
    for (const InetdService& service : services) {
        if (service.wrapper.empty())
            continue;
        if (service.name.empty())
            warn(service, "no daemon stands behind tcpd: write its name, or its whole path");
        else if (::access(service.program.c_str(), X_OK) != 0)
            warn(service,
                fmt::format("\"{}\" cannot be started: {}; write the daemon's whole path behind tcpd",
                    printable(service.program), std::strerror(errno)));
        if (::access(service.wrapper.c_str(), X_OK) != 0)
            warn(service, fmt::format("\"{}\" cannot be started: {}", printable(service.wrapper), std::strerror(errno)));
    }
    return problems;
}

config::Problem as_problem(access::Finding finding)
{
    const bool is_error = finding.severity == access::Finding::Severity::error;
    return {.severity = is_error ? config::Problem::Severity::error : config::Problem::Severity::warning,
        .file = std::move(finding.file),
        .line = finding.line,
        .text = std::move(finding.text)};
}

access::LintSettings make_settings(
    const config::Config& config, const TableCheck& what, const std::vector<InetdService>& services)
{
    const bool is_strict = config.access.reading == config::AccessReading::strict;
    access::LintSettings settings;
    settings.reading = is_strict ? access::Reading::strict : access::Reading::safe;
    settings.residents = own_names(config);
    settings.residents_run_commands = config.access.commands;
    settings.residents_start_server = !config.server.command.empty();
    settings.daemons = known_daemons(config, services);
    settings.wants_explicit_allow = what.wants_explicit_allow;
    for (const InetdService& service : services) {
        if (service.wrapper.empty() && !asks_by_itself(service.name))
            settings.unwrapped.insert(service.name);
    }
    settings.find_host = HostFinder();
    settings.has_netgroup = has_netgroup;
    settings.has_user = [](const std::string& name) { return ::getpwnam(name.c_str()) != nullptr; };
    settings.has_group = [](const std::string& name) { return ::getgrnam(name.c_str()) != nullptr; };
    settings.has_directory = has_directory;
    return settings;
}

} // namespace

std::vector<config::Problem> check_tables(const config::Config& config, const TableCheck& what)
{
    if (!config.access.enabled && !what.instead)
        return {};
    const auto paths = what.instead.value_or(wrapper::TablePaths{config.access.hosts_allow, config.access.hosts_deny});
    const std::vector<InetdService> services = read_inetd_conf();
    access::LintSettings settings = make_settings(config, what, services);
    const wrapper::Snapshot snapshot = read_settled_tables(paths, settings.reading, settings.residents);
    for (const std::string& path : {paths.allow, paths.deny})
        if (is_exposed(path))
            settings.exposed.insert(path);
    for (const auto& [path, file] : snapshot.files.others)
        if (file.state == access::FileText::State::text && is_exposed(path))
            settings.exposed.insert(path);

    std::vector<config::Problem> problems;
    for (const std::string& path : {paths.allow, paths.deny}) {
        const bool is_missing = wrapper::read_file(path).state == access::FileText::State::missing;
        if (what.instead && is_missing)
            problems.push_back({.file = path, .line = 0, .text = "there is no such file"});
    }
    for (const std::string& path : snapshot.unsettled)
        problems.push_back({.severity = config::Problem::Severity::warning,
            .file = path,
            .line = 0,
            .text = "is being written just now: check again"});
    for (access::Finding& finding : access::lint(snapshot.files, settings))
        problems.push_back(as_problem(std::move(finding)));
    if (!what.instead)
        std::ranges::move(check_inetd(services), std::back_inserter(problems));
    return problems;
}

} // namespace safetp::explain
