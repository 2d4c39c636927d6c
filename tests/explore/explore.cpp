// dialogue-explorer: searches every configuration to the fixpoint, prints what it found, and ends with 1 if that was anything.
#include "configuration.h"
#include "report.h"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

constexpr std::string_view kUsage = "dialogue-explorer [--jobs N] [--only NAME] [--graph FILE.dot]\n"
                                    "  --only NAME   configurations whose name begins so\n"
                                    "  --graph FILE  the states by phase, and what leads from one to another, for Graphviz\n";

} // namespace

int main(int argc, char** argv)
{
    safetp::explore::Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const std::string_view value = i + 1 < argc ? argv[++i] : "";
        if (option == "--only" && !value.empty()) {
            options.only = value;
        } else if (option == "--graph" && !value.empty()) {
            options.graph = value;
        } else if (option != "--jobs"
            || std::from_chars(value.data(), value.data() + value.size(), options.jobs).ec != std::errc{}
            || options.jobs == 0) {
            std::fputs(kUsage.data(), stderr);
            return 2;
        }
    }
    return safetp::explore::explore_all(options) ? 0 : 1;
}
