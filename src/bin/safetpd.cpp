// safetpd: what was asked for, and nothing else. The daemon itself begins in supervisor/supervisor.cpp.
#include "bin/cli.h"
#include "bin/tables.h"
#include "explain/check_tables.h"
#include "supervisor/exit_codes.h"
#include "supervisor/helpers.h"
#include "supervisor/server_process.h"

#include <cstdio>
#include <exception>

namespace {

int check(const safetp::bin::CommandLine& line)
{
    if (!line.tables.empty())
        return safetp::bin::check_tables_only(line);
    return safetp::supervisor::check(line.options.source, line.is_strict, [&](const safetp::config::Config& config) {
        auto problems = safetp::explain::check_tables(config, {.wants_explicit_allow = line.wants_explicit_allow});
        if (auto problem = safetp::setup::check_own_tls(config.server))
            problems.push_back(std::move(*problem));
        return problems;
    });
}

using safetp::setup::Diagnosis;
using safetp::setup::SetupOutcome;

int exit_code_of(Diagnosis diagnosis)
{
    switch (diagnosis) {
    case Diagnosis::no_way: return safetp::supervisor::kExitOk;
    case Diagnosis::ways:
    case Diagnosis::trouble: return safetp::supervisor::kExitFailure;
    case Diagnosis::not_all_seen: return safetp::supervisor::kExitNoPermission;
    case Diagnosis::bad_config: break;
    }
    return safetp::supervisor::kExitConfig;
}

int exit_code_of(SetupOutcome outcome)
{
    switch (outcome) {
    case SetupOutcome::done: return safetp::supervisor::kExitOk;
    case SetupOutcome::failed: return safetp::supervisor::kExitFailure;
    case SetupOutcome::no_permission: return safetp::supervisor::kExitNoPermission;
    case SetupOutcome::bad_config: break;
    }
    return safetp::supervisor::kExitConfig;
}

/// The raw ftpd as the supervisor starts it for a session.
safetp::Result<safetp::UniqueFd> start_server(const safetp::config::Server& server)
{
    const auto program = safetp::supervisor::ServerProgram::plan(server);
    if (!program)
        return std::unexpected(program.error());
    auto started = safetp::supervisor::start_server(*program);
    if (!started)
        return std::unexpected(started.error());
    return std::move(started->our_end);
}

int run(int argc, char** argv)
{
    const auto parsed = safetp::bin::parse_command_line(argc, argv);
    if (const int* exit_code = std::get_if<int>(&parsed))
        return *exit_code;
    const safetp::bin::CommandLine& line = std::get<safetp::bin::CommandLine>(parsed);

    switch (line.verb) {
    case safetp::bin::Verb::run: return safetp::supervisor::supervise(line.options);
    case safetp::bin::Verb::check: return check(line);
    case safetp::bin::Verb::explain: return safetp::bin::explain_client(line);
    case safetp::bin::Verb::serve: return safetp::bin::serve(line.serve);
    case safetp::bin::Verb::doctor: {
        safetp::setup::DoctorOptions options = line.doctor;
        options.start_server = start_server;
        return exit_code_of(safetp::setup::examine(options));
    }
    case safetp::bin::Verb::setup: return exit_code_of(safetp::setup::set_up(line.setup));
    case safetp::bin::Verb::version: std::puts("safetpd " SAFETP_VERSION); return safetp::supervisor::kExitOk;
    }
    return safetp::supervisor::kExitUsage;
}

} // namespace

int main(int argc, char** argv)
{
    safetp::process::run_if_helper(argc, argv, safetp::supervisor::kHelperRoles);
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "safetpd: %s\n", error.what());
        return safetp::supervisor::kExitFailure;
    }
}
