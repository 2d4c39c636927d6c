// What a decision costs among N rules of addresses, what their image weighs, and what compiling and opening it takes.
#include "access/evaluation.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace safetp::access;

constexpr long kManyRules = 1'000'000;

std::string dotted(std::uint32_t address)
{
    return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." + std::to_string(address >> 8 & 255)
        + "." + std::to_string(address & 255);
}

std::uint32_t prefix(std::uint32_t address, unsigned bits) { return address & 0xffffffffu << (32 - bits); }

/// None begins with 10.
std::uint32_t random_address(std::mt19937& dice)
{
    const auto first = static_cast<std::uint32_t>(dice() % 200 + 11);
    return first << 24 | static_cast<std::uint32_t>(dice() & 0xffffff);
}

/// One rule as block lists have them: of ten, six addresses, two nets of IPv4, two of IPv6. None begins with fd.
std::string block_rule(std::mt19937& dice)
{
    const std::uint32_t address = random_address(dice);
    char text[64];
    switch (dice() % 10) {
    case 0: {
        const auto bits = static_cast<unsigned>(16 + dice() % 16);
        return "ALL: " + dotted(prefix(address, bits)) + "/" + std::to_string(bits) + "\n";
    }
    case 1: return "ALL: " + dotted(prefix(address, 24)) + "/255.255.255.0\n";
    case 2:
        std::snprintf(text, sizeof text, "ALL: [2001:%x:%x::]/48\n", static_cast<unsigned>(dice() & 0xffff),
            static_cast<unsigned>(dice() & 0xffff));
        return text;
    case 3:
        std::snprintf(text, sizeof text, "ALL: [2001:%x:%x::%x]\n", static_cast<unsigned>(dice() & 0xffff),
            static_cast<unsigned>(dice() & 0xffff), static_cast<unsigned>(dice() & 0xffff));
        return text;
    default: return "ALL: " + dotted(address) + "\n";
    }
}

TableFiles block_list(long rules)
{
    std::mt19937 dice(1);
    TableFiles files;
    files.allow = {FileText::State::text, "safetpd: 10.1.2.3\n", 0};
    std::string text;
    for (long i = 0; i < rules; ++i)
        text += block_rule(dice);
    text += "safetpd: 10.9.9.9\n";
    files.deny = {FileText::State::text, std::move(text), 0};
    return files;
}

const std::vector<std::byte>& image_of(long rules)
{
    static std::map<long, std::vector<std::byte>> images;
    std::vector<std::byte>& image = images[rules];
    if (image.empty())
        image = compile(block_list(rules), Reading::safe);
    return image;
}

Outcome decide(const Tables& tables, const std::string& address)
{
    Request request;
    request.daemon = "safetpd";
    request.client_address = address;
    request.server_address = "10.0.0.1";
    request.client_port = 40000;
    request.server_port = 21;
    Evaluation evaluation(tables, std::move(request), Settings{});
    Step step = evaluation.start();
    while (std::holds_alternative<LookUp>(step))
        step = evaluation.learn(kUnknown);
    return std::get<Verdict>(step).outcome;
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
        addresses.push_back(dotted(random_address(dice)));
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
