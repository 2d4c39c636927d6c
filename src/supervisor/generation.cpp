#include "supervisor/generation.h"

#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fmt/format.h>
#include <sched.h>
#include <new>
#include <set>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

void apply(const Overrides& overrides, config::Config& config)
{
    if (overrides.listener) {
        config::Listener listener = config.listeners.empty() ? config::Listener{} : config.listeners.front();
        listener.address = overrides.listener->address;
        listener.port = overrides.listener->port;
        config.listeners.assign(1, listener);
    }
    if (overrides.server) {
        config.server.address = overrides.server->first;
        config.server.port = overrides.server->second;
        config.server.command.clear();
    }
    if (!overrides.key_directory.empty())
        config.tls.key_directory = overrides.key_directory;
    if (overrides.is_verbose)
        config.log.options.threshold = log::Level::debug;
}

tls::ClientCertificate to_tls(config::ClientCertificate wanted)
{
    switch (wanted) {
    case config::ClientCertificate::off: return tls::ClientCertificate::off;
    case config::ClientCertificate::request: return tls::ClientCertificate::request;
    case config::ClientCertificate::require: return tls::ClientCertificate::require;
    }
    return tls::ClientCertificate::require;
}

/// The names that a self-made certificate bears: clients may check them when they have pinned nothing.
std::vector<std::string> own_names(const config::Config& config)
{
    std::vector<std::string> names;
    char name[256] = "";
    if (::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0')
        names.emplace_back(name);
    std::ranges::copy(announced_hosts(config), std::back_inserter(names));
    names.emplace_back("localhost");
    return names;
}

Result<std::vector<tls::ServerContext>> make_contexts(const config::Config& config)
{
    tls::ContextOptions options;
    for (const config::CertificateFiles& files : config.tls.certificates)
        options.certificates.push_back({files.certificate, files.key});
    if (options.certificates.empty()) {
        auto self_made = tls::ensure_self_made_identity(config.tls.key_directory, own_names(config));
        if (!self_made)
            return std::unexpected(self_made.error());
        options.certificates.push_back(std::move(*self_made));
    }
    options.minimum_version = config.tls.minimum_version;
    options.ciphers = config.tls.ciphers;
    options.ciphersuites = config.tls.ciphersuites;
    options.client_ca = config.tls.client_ca;
    options.client_crl = config.tls.client_crl;
    options.refuse_unknown_names = config.tls.refuse_unknown_names;
    options.ticket_lifetime = config.tls.ticket_lifetime;
    options.data_key_exchange = config.tls.data_key_exchange == config::DataKeyExchange::session
        ? tls::DataKeyExchange::session : tls::DataKeyExchange::each;

    if (const auto rehearsed = tls::rehearse(options); !rehearsed) // what the listeners have in common: once for all of them
        return std::unexpected(rehearsed.error());
    std::vector<tls::ServerContext> contexts;
    for (const config::Listener& listener : config.listeners) {
        options.client_certificate = to_tls(listener.client_certificate);
        auto context = tls::ServerContext::make(options);
        if (!context)
            return std::unexpected(context.error());
        contexts.push_back(std::move(*context));
    }
    return contexts;
}

} // namespace

std::vector<std::string> announced_hosts(const config::Config& config)
{
    std::set<std::string> hosts{config.data.announce.address};
    for (const auto& [network, host] : config.data.announce.for_clients)
        hosts.insert(host);
    std::erase_if(hosts, [](const std::string& host) { return host.empty() || IpAddress::parse(host); });
    return {hosts.begin(), hosts.end()};
}

config::Loaded load_and_check(const ConfigSource& source, config::NameService name_service)
{
    const bool is_missing = ::access(source.path.c_str(), F_OK) != 0 && errno == ENOENT;
    const bool has_file = !source.prepared && !(source.may_be_missing && is_missing);
    config::Loaded loaded;
    if (has_file && is_missing && source.path == config::kDefaultPath) {
        loaded.problems.push_back({.file = source.path, .text = "there is no configuration; write one (safetpd.toml(5)), name "
                                       "another with -c FILE, say what to do with -p and -f, or try: safetpd serve DIR"});
        return loaded;
    }
    loaded = has_file ? config::load(source.path) : config::parse("", "built-in defaults");
    if (source.prepared)
        loaded.config = *source.prepared;
    if (loaded.config.listeners.empty())
        return loaded; // no TOML: nothing more can be said of it
    apply(source.overrides, loaded.config);
    // "/" stands for no file: it exists, and whoever may change it needs no configuration to take this machine over.
    const std::string file = has_file ? source.path : "/";
    for (config::Problem& problem : config::check_machine(loaded.config, file, loaded.lines, name_service)) {
        if (!has_file)
            problem.file = "command line";
        loaded.problems.push_back(std::move(problem));
    }
    return loaded;
}

/// Shared with all processes that are forked from now on. Without it nothing is measured, which is safe.
std::shared_ptr<ftp::LineLimits> make_line_limits()
{
    void* const memory
        = ::mmap(nullptr, sizeof(ftp::LineLimits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return {};
    return {new (memory) ftp::LineLimits{}, [](ftp::LineLimits* limits) { ::munmap(limits, sizeof *limits); }};
}

Result<std::unique_ptr<const Generation>> make_generation(config::Config config)
{
    auto contexts = make_contexts(config);
    if (!contexts)
        return std::unexpected(contexts.error());
    auto generation = std::make_unique<Generation>();
    generation->contexts = std::move(*contexts);
    if (config.server.line_bytes == 0)
        generation->line_limits = make_line_limits();
    generation->config = std::move(config);
    return generation;
}

namespace {

/// Expired or about to: no reason not to start, but one to say so.
std::optional<std::string> expiry_warning(const config::CertificateFiles& files)
{
    const auto summary = tls::inspect_certificate({files.certificate, files.key});
    if (!summary)
        return {}; // what is wrong with it is said where the contexts are made
    const auto left = std::chrono::floor<std::chrono::days>(summary->not_after - std::chrono::system_clock::now()).count();
    if (left < 0)
        return fmt::format("certificate {} has expired; clients will refuse it", files.certificate);
    if (left < 14)
        return fmt::format("certificate {} expires in {} days", files.certificate, left);
    return {};
}

} // namespace

std::vector<config::Problem> check_contexts(const config::Config& config, const std::string& file)
{
    using Severity = config::Problem::Severity;
    std::vector<config::Problem> problems;
    if (config.tls.certificates.empty() && ::access(config.tls.key_directory.c_str(), W_OK) != 0) {
        const bool is_new = errno == ENOENT;
        problems.push_back({.severity = Severity::warning, .file = file,
            .text = fmt::format("the self-made key in {} {}", config.tls.key_directory,
                is_new ? "will be made at the first start" : "cannot be checked by this user")});
        return problems;
    }
    for (const config::CertificateFiles& files : config.tls.certificates) {
        if (auto warning = expiry_warning(files))
            problems.push_back({.severity = Severity::warning, .file = file, .text = std::move(*warning)});
    }
    for (std::string& doubt : tls::doubts_about_revocation(config.tls.client_ca, config.tls.client_crl))
        problems.push_back({.severity = Severity::warning, .file = file, .text = std::move(doubt)});
    if (const auto contexts = make_contexts(config); !contexts)
        problems.push_back({.file = file, .text = describe(contexts.error())});
    return problems;
}

std::vector<std::string> watched_files(const config::Config& config)
{
    std::vector<std::string> files;
    for (const config::CertificateFiles& pair : config.tls.certificates) {
        files.push_back(pair.certificate);
        if (!pair.key.empty())
            files.push_back(pair.key);
    }
    for (const std::string& file : {config.tls.client_ca, config.tls.client_crl}) {
        if (!file.empty())
            files.push_back(file);
    }
    return files;
}

unsigned worker_count(const config::Config& config)
{
    static constexpr unsigned kMostByDefault = 64;
    static constexpr unsigned kMostWorkers = SharedCounters::kMaxWorkers / 4; // room for older generations
    if (config.process.workers != 0)
        return std::min(config.process.workers, kMostWorkers);
    cpu_set_t usable;
    CPU_ZERO(&usable);
    const bool is_known = ::sched_getaffinity(0, sizeof usable, &usable) == 0;
    return is_known ? std::clamp(static_cast<unsigned>(CPU_COUNT(&usable)), 1u, kMostByDefault) : 1u;
}

} // namespace safetp::supervisor
