#include "bin/tables.h"

#include "explain/check_tables.h"
#include "explain/explain.h"
#include "supervisor/exit_codes.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

/// The configuration as its file has it: what only the running daemon needs of this machine does not matter here.
std::optional<config::Config> load_config(const supervisor::ConfigSource& source)
{
    const bool is_missing = ::access(source.path.c_str(), F_OK) != 0 && errno == ENOENT && source.path == config::kDefaultPath;
    config::Loaded loaded = is_missing ? config::parse("", "built-in defaults") : config::load(source.path);
    if (loaded.is_usable())
        return std::move(loaded.config);
    for (const config::Problem& problem : loaded.problems)
        fmt::print(stderr, "{}\n", problem.to_string());
    return std::nullopt;
}

} // namespace

int explain_client(const CommandLine& line)
{
    const auto config = load_config(line.options.source);
    return config ? explain::explain(line.question, *config) : supervisor::kExitConfig;
}

int check_tables_only(const CommandLine& line)
{
    const auto config = load_config(line.options.source);
    if (!config)
        return supervisor::kExitConfig;
    const wrapper::TablePaths paths{line.tables.front(), line.tables.back()};
    const auto problems = explain::check_tables(*config, {line.wants_explicit_allow, paths});
    return supervisor::report_check(
        problems, line.is_strict, fmt::format("{}, {}: the tables are good", paths.allow, paths.deny));
}

} // namespace safetp::bin
