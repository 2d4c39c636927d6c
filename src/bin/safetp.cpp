// safetp: what was asked for, and nothing else.
#include "bin/safetp_cli.h"
#include "client/exit_codes.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <unistd.h>

namespace {

int perform(const safetp::bin::VersionArguments&) { return std::puts("safetp " SAFETP_VERSION) < 0 ? 1 : 0; }
int perform(const safetp::bin::PinListArguments& arguments) { return safetp::bin::pin_list(arguments); }
int perform(const safetp::bin::PinShowArguments& arguments) { return safetp::bin::pin_show(arguments); }
int perform(const safetp::bin::PinAddArguments& arguments) { return safetp::bin::pin_add(arguments); }
int perform(const safetp::bin::PinRemoveArguments& arguments) { return safetp::bin::pin_remove(arguments); }
int perform(const safetp::bin::PinExportArguments& arguments) { return safetp::bin::pin_export(arguments); }

int perform(const safetp::bin::GetArguments& arguments) { return safetp::bin::get(arguments); }
int perform(const safetp::bin::PutArguments& arguments) { return safetp::bin::put(arguments); }
int perform(const safetp::bin::ListArguments& arguments) { return safetp::bin::list(arguments); }

/// What tasks that still wait refer to is never destroyed: the process ends with it.
[[noreturn]] int end_now(int code)
{
    std::fflush(nullptr);
    ::_exit(code);
}

int perform(const safetp::bin::ProxyArguments& arguments) { end_now(safetp::bin::run_proxy(arguments)); }
int perform(const safetp::bin::RunArguments& arguments) { return safetp::bin::run_run(arguments); }

int run(int argc, char** argv)
{
    const auto parsed = safetp::bin::parse_safetp_command_line(argc, argv);
    if (const int* exit_code = std::get_if<int>(&parsed))
        return *exit_code;
    return std::visit([](const auto& arguments) { return perform(arguments); }, std::get<safetp::bin::SafetpCommand>(parsed));
}

} // namespace

int main(int argc, char** argv)
{
    // A vanished reader and a full quota are errors of write(2), said in a sentence; by default they kill without a word.
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "safetp: %s\n", error.what());
        return safetp::client::kExitFailure;
    }
}
