#include "report.h"

#include "configuration.h"
#include "dialogue_system.h"
#include "graph.h"
#include "reach_systems.h"
#include "search.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

namespace safetp::explore {

namespace {

std::string row_of(const std::string& name, const Outcome& outcome, double seconds)
{
    char row[160];
    std::snprintf(row, sizeof row, "%-44s %9zu %10zu %5u %7.1f  %s\n", name.c_str(), outcome.states, outcome.edges,
        outcome.depth, seconds, outcome.findings.empty() ? "holds" : "VIOLATED");
    return row;
}

// As a test of the dialogue: what came out stands there as if it were right, up to the last event.
template <typename System>
std::string story_of(const System& system, const Finding& finding)
{
    std::string text = "\n" + finding.violation.property + ": " + finding.violation.what;
    if (!finding.violation.detail.empty())
        text += ": " + finding.violation.detail;
    text += "\nDIALOGUE(Explored, Finding, R\"(\n" + system.script(finding.path) + ")\")\n";
    if (!finding.other_path.empty())
        text += "the other path:\n" + system.script(finding.other_path);
    return text;
}

struct Result {
    std::string text; ///< row and stories
    std::optional<Violation> first;
};

template <typename System>
Result search(const std::string& name, const System& system, Limits limits, typename Search<System>::Watcher watcher = {})
{
    const auto begun = std::chrono::steady_clock::now();
    Search<System> search(system, limits, std::move(watcher));
    const Outcome outcome = search.run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    Result result{row_of(name, outcome, took.count()), {}};
    for (const Finding& finding : outcome.findings)
        result.text += story_of(system, finding);
    if (!outcome.findings.empty())
        result.first = outcome.findings.front().violation;
    return result;
}

/// One search. `graph` may be null.
struct Task {
    std::string name;
    std::function<Result(Limits limits, Graph* graph)> run;
};

std::vector<Task> all_tasks()
{
    std::vector<Task> tasks;
    const auto add = [&](const auto& system) {
        tasks.push_back({system.name(), [system](Limits limits, Graph*) { return search(system.name(), system, limits); }});
    };
    for (const bool is_implicit : {false, true})
        for (const bool may_be_clear : {false, true})
            add(ServerSecuritySystem(is_implicit, may_be_clear));
    add(ReceptionSystem());
    for (auto& configuration : configurations())
        tasks.push_back({configuration.name, [configuration](Limits limits, Graph* graph) {
                             const DialogueSystem system(configuration);
                             Search<DialogueSystem>::Watcher watcher;
                             if (graph != nullptr)
                                 watcher = [&system, graph](const auto& from, Event event, const auto& to) {
                                     graph->add(system.phase(from), system.label(event), system.phase(to));
                                 };
                             return search(configuration.name, system, limits, std::move(watcher));
                         }});
    return tasks;
}

} // namespace

void run_side_by_side(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& task)
{
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < count; i = next++)
            task(i);
    };
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < jobs; ++i)
        threads.emplace_back(work);
    work();
}

bool explore_all(const Options& options)
{
    auto tasks = all_tasks();
    std::erase_if(tasks, [&](const Task& task) { return !task.name.starts_with(options.only); });
    std::vector<Graph> graphs(tasks.size());
    std::mutex output;
    std::printf("%-44s %9s %10s %5s %7s\n", "configuration", "states", "edges", "depth", "seconds");
    bool all_hold = !tasks.empty();
    run_side_by_side(tasks.size(), options.jobs, [&](std::size_t i) {
        const Result result = tasks[i].run({}, options.graph.empty() ? nullptr : &graphs[i]);
        const std::lock_guard lock(output);
        all_hold = all_hold && !result.first;
        std::fputs(result.text.c_str(), stdout);
        std::fflush(stdout);
    });
    if (options.graph.empty())
        return all_hold;
    Graph whole;
    for (const Graph& graph : graphs)
        whole.add_all(graph);
    return whole.write(options.graph) && all_hold;
}

std::optional<Violation> first_finding(std::string_view name)
{
    for (const Task& task : all_tasks()) {
        if (!task.name.starts_with(name))
            continue;
        auto result = task.run({.stops_at_first = true}, nullptr);
        if (result.first)
            return std::move(result.first);
    }
    return {};
}

} // namespace safetp::explore
