// What a decision costs among N rules of addresses, what their image weighs, and what compiling and opening it takes.
#include "block_list.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace safetp::access;
using namespace safetp::bench;

const std::vector<std::byte>& image_of(long rules)
{
    static std::map<long, std::vector<std::byte>> images;
    std::vector<std::byte>& image = images[rules];
    if (image.empty())
        image = compile(block_list(rules), Reading::safe);
    return image;
}

void decision(benchmark::State& state, const char* address, Outcome expected)
{
    const std::vector<std::byte>& image = image_of(state.range(0));
    const auto tables = Tables::open(image);
    if (!tables || decide(*tables, address) != expected) {
        state.SkipWithError("the verdict is wrong");
        return;
    }
    for (auto unused : state)
        benchmark::DoNotOptimize(decide(*tables, address));
}

/// Addresses by chance: the processor's caches do not hold what the last decision used.
void random_decision(benchmark::State& state)
{
    const auto tables = Tables::open(image_of(state.range(0)));
    std::mt19937 dice(2);
    std::vector<std::string> addresses;
    for (int i = 0; i < 65536; ++i)
        addresses.push_back(random_ipv4(dice));
    std::size_t next = 0;
    for (auto unused : state)
        benchmark::DoNotOptimize(decide(*tables, addresses[next++ % addresses.size()]));
}

/// What the index cannot hold: each rule is tried.
void rules_of_names(benchmark::State& state)
{
    TableFiles files;
    files.deny.state = FileText::State::text;
    for (long i = 0; i < state.range(0); ++i)
        files.deny.text += "ALL: .host" + std::to_string(i) + ".example.org\n";
    const std::vector<std::byte> image = compile(files, Reading::safe);
    const auto tables = Tables::open(image);
    for (auto unused : state)
        benchmark::DoNotOptimize(decide(*tables, "10.1.2.3"));
}

void compilation(benchmark::State& state)
{
    const TableFiles files = block_list(state.range(0));
    std::size_t bytes = 0;
    for (auto unused : state)
        bytes = compile(files, Reading::safe).size();
    state.counters["text_MiB"] = static_cast<double>(files.deny.text.size()) / (1 << 20);
    state.counters["image_MiB"] = static_cast<double>(bytes) / (1 << 20);
    state.counters["image_bytes_per_rule"] = static_cast<double>(bytes) / static_cast<double>(state.range(0));
}

void opening(benchmark::State& state)
{
    const std::vector<std::byte>& image = image_of(state.range(0));
    for (auto unused : state)
        benchmark::DoNotOptimize(Tables::open(image).has_value());
}

BENCHMARK_CAPTURE(decision, allowed_by_the_first_rule, "10.1.2.3", Outcome::granted)->Arg(1000)->Arg(kManyRules);
BENCHMARK_CAPTURE(decision, denied_by_the_last_rule, "10.9.9.9", Outcome::denied)->Arg(1000)->Arg(kManyRules);
BENCHMARK_CAPTURE(decision, no_rule_matches, "10.200.1.1", Outcome::granted)->Arg(1000)->Arg(kManyRules);
BENCHMARK_CAPTURE(decision, no_rule_matches_ipv6, "fd00::1", Outcome::granted)->Arg(1000)->Arg(kManyRules);
BENCHMARK(random_decision)->Arg(1000)->Arg(kManyRules);
BENCHMARK(rules_of_names)->Arg(1000);
BENCHMARK(compilation)->Arg(kManyRules)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK(opening)->Arg(kManyRules)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
