#include "explain/check_tables.h"

#include "access/lint.h"
#include "explain/inetd_names.h"
#include "explain/settled_tables.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::explain {

namespace {

constexpr const char* kInetdConf = "/etc/inetd.conf";
/// Daemons that ask the tables by themselves, where inetd.conf does not name them.
constexpr const char* kLinkedDaemons[] = {"sshd", "vsftpd", "proftpd", "stunnel", "stunnel4", "rpcbind", "slapd", "mountd",
    "statd", "rquotad", "xinetd", "sendmail", "dovecot", "portmap", "nfsd"};

bool is_exposed(const std::string& path)
{
    struct stat status { };
    if (::stat(path.c_str(), &status) != 0)
        return false;
    return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 || (status.st_uid != 0 && status.st_uid != ::geteuid());
}

/// Nothing where the name service gave no answer for now.
std::optional<access::HostAnswer> find_host(const std::string& name)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_CANONNAME;
    addrinfo* list = nullptr;
    const int result = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
    if (result == EAI_AGAIN || result == EAI_SYSTEM)
        return std::nullopt;
    if (result != 0)
        return access::HostAnswer{};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
    return access::HostAnswer{true, list->ai_canonname ? list->ai_canonname : ""};
}

/// A name service that does not answer is waited for once, not for each of a thousand names; names not asked about count as
/// good.
class HostFinder {
public:
    std::optional<access::HostAnswer> operator()(const std::string& name)
    {
        if (!is_answering_ || ++asked_ > kMostNames)
            return access::HostAnswer{true, ""};
        const auto answer = find_host(name);
        is_answering_ = answer.has_value();
        return answer;
    }

private:
    static constexpr unsigned kMostNames = 1000;
    bool is_answering_ = true;
    unsigned asked_ = 0;
};

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
std::vector<std::string> known_daemons(const config::Config& config)
{
    const access::FileText inetd = wrapper::read_file(kInetdConf);
    if (inetd.state != access::FileText::State::text)
        return {};
    std::vector<std::string> names = inetd_names(inetd.text);
    if (names.empty())
        return {};
    for (const std::string& name : own_names(config))
        names.push_back(name);
    if (!config.server.command.empty()) {
        const std::string& program = config.server.command.front();
        names.push_back(program.substr(program.rfind('/') + 1)); // npos + 1 is 0
    }
    names.insert(names.end(), std::begin(kLinkedDaemons), std::end(kLinkedDaemons));
    return names;
}

config::Problem as_problem(access::Finding finding)
{
    const bool is_error = finding.severity == access::Finding::Severity::error;
    return {.severity = is_error ? config::Problem::Severity::error : config::Problem::Severity::warning,
        .file = std::move(finding.file),
        .line = finding.line,
        .text = std::move(finding.text)};
}

} // namespace

std::vector<config::Problem> check_tables(
    const config::Config& config, HostNames host_names, const wrapper::TablePaths* instead)
{
    if (!config.access.enabled && !instead)
        return {};
    const wrapper::TablePaths paths
        = instead ? *instead : wrapper::TablePaths{config.access.hosts_allow, config.access.hosts_deny};
    access::LintSettings settings;
    settings.reading = config.access.reading == config::AccessReading::strict ? access::Reading::strict : access::Reading::safe;
    settings.residents = own_names(config);
    settings.residents_run_commands = config.access.commands;
    settings.residents_start_server = !config.server.command.empty();
    settings.daemons = known_daemons(config);
    if (host_names == HostNames::asked)
        settings.find_host = HostFinder();
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
        if (instead && is_missing)
            problems.push_back({.file = path, .line = 0, .text = "there is no such file"});
    }
    for (const std::string& path : snapshot.unsettled)
        problems.push_back({.severity = config::Problem::Severity::warning,
            .file = path,
            .line = 0,
            .text = "is being written just now: check again"});
    for (access::Finding& finding : access::lint(snapshot.files, settings))
        problems.push_back(as_problem(std::move(finding)));
    return problems;
}

} // namespace safetp::explain
