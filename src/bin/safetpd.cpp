// safetpd: what was asked for, and nothing else. The daemon itself begins in supervisor/supervisor.cpp.
#include "bin/cli.h"
#include "supervisor/exit_codes.h"

#include <cstdio>
#include <exception>

namespace {

int run(int argc, char** argv)
{
    const auto parsed = safetp::bin::parse_command_line(argc, argv);
    if (const int* exit_code = std::get_if<int>(&parsed))
        return *exit_code;
    const safetp::bin::CommandLine& line = std::get<safetp::bin::CommandLine>(parsed);

    switch (line.verb) {
    case safetp::bin::Verb::run: return safetp::supervisor::supervise(line.options);
    case safetp::bin::Verb::check: return safetp::supervisor::check(line.options.source, line.is_strict);
    case safetp::bin::Verb::serve: return safetp::bin::serve(line.serve);
    case safetp::bin::Verb::version: std::puts("safetpd " SAFETP_VERSION); return safetp::supervisor::kExitOk;
    }
    return safetp::supervisor::kExitUsage;
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "safetpd: %s\n", error.what());
        return safetp::supervisor::kExitFailure;
    }
}
