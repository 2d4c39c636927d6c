// The parts of a session, timed by Google Benchmark; `--count NUMBER TIMES` repeats one of them for callgrind, `--list` names them.
#include "part.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <csignal>
#include <string_view>

namespace safetp::bench {

[[gnu::noinline]] void measured(const std::function<void()>& work) { work(); }

namespace {

std::vector<Part> all_parts()
{
    std::vector<Part> all;
    for (const auto& some : {dialogue_parts(), access_parts(), stream_parts()})
        all.insert(all.end(), some.begin(), some.end());
    return all;
}

int list()
{
    for (const Part& part : all_parts())
        fmt::print("{}\n", part.name);
    return 0;
}

/// The first time is for what is done once only, and for the caches: under callgrind it is counted too.
int repeat(std::size_t number, unsigned long times)
{
    const auto operation = all_parts().at(number).prepare();
    for (unsigned long i = 0; i < times; ++i)
        operation();
    return 0;
}

int time_all(int argc, char** argv)
{
    for (const Part& part : all_parts()) {
        benchmark::RegisterBenchmark(part.name.c_str(), [prepare = part.prepare](benchmark::State& state) {
            const auto operation = prepare();
            for (auto unused : state)
                operation();
        });
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

} // namespace

} // namespace safetp::bench

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "--list")
        return safetp::bench::list();
    if (mode == "--count" && argc == 4)
        return safetp::bench::repeat(std::stoul(argv[2]), std::stoul(argv[3]));
    return safetp::bench::time_all(argc, argv);
}
