#include "supervisor/reporting.h"

#include "base/log.h"

#include <cstdio>
#include <fmt/format.h>

namespace safetp::supervisor {

namespace {

/// syslog has no terminal behind it: there the log is where people look.
void report(log::Level level, const std::string& text)
{
    if (log::options().target == log::Target::syslog)
        log::Event(level, 0, "start-problem", text);
    fmt::print(stderr, "safetpd: {}\n", text);
}

} // namespace

void report_problems(const std::vector<config::Problem>& problems)
{
    for (const config::Problem& problem : problems) {
        const bool is_error = problem.severity == config::Problem::Severity::error;
        report(is_error ? log::Level::error : log::Level::warning, problem.to_string());
    }
}

int report_failure(const Failure& failure)
{
    report(log::Level::error, failure.text);
    return failure.exit_code;
}

} // namespace safetp::supervisor
