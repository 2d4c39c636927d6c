#include "supervisor/supervisor.h"

#include "base/log.h"
#include "supervisor/descriptors.h"
#include "supervisor/exit_codes.h"
#include "supervisor/inetd.h"
#include "supervisor/pid_file.h"
#include "supervisor/plan.h"
#include "supervisor/prepare.h"
#include "supervisor/reporting.h"
#include "supervisor/service.h"
#include "supervisor/upgrade.h"
#include "supervisor/worker_table.h"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

/// Under -s the log's usual place, stderr, is the client's connection.
config::Log log_for(config::Log wanted, const std::optional<InetdClient>& inetd)
{
    if (inetd && inetd->took_stderr && wanted.options.target != log::Target::syslog)
        wanted.options.target = log::Target::syslog;
    return wanted;
}

/// Those of the program that we replace, so that its sessions go on to count.
Result<SharedCounters> counters_to_go_on_with()
{
    const bool has_predecessor = is_successor();
    UniqueFd inherited = take_counters();
    if (!has_predecessor)
        return SharedCounters::make();
    auto taken = inherited ? SharedCounters::take_over(std::move(inherited))
                           : fail(ErrorCode::supervisor, 0, "the older program does not pass its counters on");
    if (taken)
        return taken;
    log::Event(log::Level::warning, 0, "limits-anew",
        "limits do not count the older program's sessions: " + describe(taken.error()));
    return SharedCounters::make();
}

std::string status_text(const Prepared& prepared, unsigned workers)
{
    std::string text = fmt::format("{} worker{}", workers, workers == 1 ? "" : "s");
    for (const std::string& address : prepared.listeners.addresses())
        text += ", " + address;
    return text;
}

} // namespace

int supervise(const Options& options)
{
    const std::vector<int> strange_descriptors = find_strange_descriptors();
    // Under -s first of all: from here on nothing we print can reach the client.
    std::optional<InetdClient> inetd;
    if (options.is_inetd) {
        auto taken = take_inetd_client();
        if (!taken)
            return report_failure({kExitUsage, taken.error().context});
        inetd = std::move(*taken);
    }

    // Load and check everything before anything is opened.
    config::Loaded loaded = load_and_check(options.source, config::NameService::left_alone);
    report_problems(loaded.problems);
    if (!loaded.is_usable())
        return report_failure({kExitConfig, "not started: the configuration has errors"});
    close_descriptors(strange_descriptors); // not before: the configuration may be one of them, as in -c /dev/fd/3

    // Open the log: what happens from now on is in it, and on the terminal if it stops the start.
    loaded.config.log = log_for(loaded.config.log, inetd);
    log::open(loaded.config.log.options);

    // Everything that takes privileges: certificates and keys, users, the empty root, listening sockets.
    InheritedSockets inherited;
    if (!inetd) {
        auto sockets = take_inherited_sockets();
        if (!sockets)
            return report_failure({kExitUsage, describe(sockets.error())});
        inherited = std::move(*sockets);
    }
    auto prepared = prepare(std::move(loaded.config), inetd ? Listening::no : Listening::yes, nullptr, std::move(inherited));
    if (!prepared)
        return report_failure(prepared.error());

    PidFile pid_file(inetd ? "" : prepared->config().process.pid_file); // each inetd's process is one of many
    if (const auto fit = pid_file.check(); !fit)
        return report_failure({kExitConfig, describe(fit.error())});
    auto counters = counters_to_go_on_with();
    if (!counters)
        return report_failure({kExitFailure, describe(counters.error())});

    if (options.before_workers)
        options.before_workers(*prepared);

    // Fork the workers, and serve them until the last has gone.
    const std::string status = status_text(*prepared, inetd ? 1 : worker_count(prepared->config()));
    log::Event(inetd ? log::Level::debug : log::Level::notice, 0, "start", "safetpd started: " + status);
    log::Event(log::Level::info, 0, "landlock", process::describe_landlock(ports_of_workers(prepared->config())));
    Service service(options.source, *counters, std::move(*prepared), pid_file, inetd ? std::move(inetd->control) : UniqueFd());
    return service.run();
}

int check(const ConfigSource& source, bool is_strict, const FurtherCheck& further)
{
    const config::Loaded loaded = load_and_check(source, config::NameService::asked);
    std::vector<config::Problem> problems = loaded.problems;
    if (loaded.is_usable()) {
        for (config::Problem& problem : check_contexts(loaded.config, source.path))
            problems.push_back(std::move(problem));
    }
    if (further && !loaded.config.listeners.empty()) {
        for (config::Problem& problem : further(loaded.config))
            problems.push_back(std::move(problem));
    }
    return report_check(problems, is_strict, source.path + ": the configuration is good");
}

int report_check(const std::vector<config::Problem>& problems, bool is_strict, const std::string& good)
{
    for (const config::Problem& problem : problems)
        fmt::print("{}\n", problem.to_string());
    const auto is_error = [](const config::Problem& problem) { return problem.severity == config::Problem::Severity::error; };
    if (std::ranges::any_of(problems, is_error))
        return kExitConfig;
    if (!problems.empty() && is_strict)
        return kExitFailure;
    fmt::print("{}\n", good);
    return kExitOk;
}

} // namespace safetp::supervisor
