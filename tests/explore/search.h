// Breadth-first search of all states of a system, to the fixpoint, and what the graph says about liveness.
//
// A system is what SafeTP's own code and a model of its surroundings make together. Every property that can be judged while
// something happens is judged by the system itself (it throws a Violation); the search adds three of its own:
//
//   live     from every state the answers that are owed lead to rest: found backwards from the states at rest
//   folding  two paths to what is called one state must go on alike; tried for a sample of them, or the digests hide states
//   bound    there are no more states than `max_states`: else nothing was proven
#pragma once

#include "digest.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace safetp::explore {

using Event = std::uint16_t; ///< number in the system's list
using StateNumber = std::uint32_t;

struct Violation {
    std::string property; ///< S1 and the like, see README.md
    std::string what;
    std::string detail{}; ///< the text that it is about
};

struct Finding {
    Violation violation;
    std::vector<Event> path;       ///< the shortest to it; its last event is where it showed
    std::vector<Event> other_path; ///< of folding: the other one
};

struct Outcome {
    std::size_t states = 0;
    std::size_t edges = 0;
    unsigned depth = 0;
    std::vector<Event> longest_path; ///< one of the longest among the shortest paths
    std::vector<Finding> findings;   ///< the first of each kind
};

struct Limits {
    std::size_t max_states = 5'000'000;
    bool stops_at_first = false; ///< else what lies behind a finding is left out, and the search goes on
};

/// A System has: State (copyable), initial(), enabled(state, events), happen(state, event) which throws Violation,
/// digest(state), is_at_rest(state), is_answer(state, event).
template <typename System>
class Search {
public:
    using State = typename System::State;
    using Watcher = std::function<void(const State&, Event, const State&)>;

    Search(const System& system, Limits limits, Watcher watcher = {})
        : system_(system)
        , limits_(std::move(limits))
        , watcher_(std::move(watcher))
    {
    }

    Outcome run()
    {
        reach(system_.initial(), 0, 0);
        while (!frontier_.empty() && !is_stopped_) {
            const auto& [number, state] = frontier_.front(); // a deque's references stay valid while it grows
            expand(number, state);
            frontier_.pop_front();
        }
        if (outcome_.findings.empty()) { // what lies behind a finding is not known
            judge_samples();
            judge_liveness();
        }
        outcome_.states = nodes_.size();
        outcome_.depth = nodes_.empty() ? 0 : nodes_.back().depth;
        outcome_.longest_path = path_to(static_cast<StateNumber>(nodes_.size() - 1));
        return std::move(outcome_);
    }

private:
    static constexpr std::size_t kSampled = 1'000; // one of so many states met again is tried

    struct Node {
        StateNumber parent = 0;
        Event event = 0;
        std::uint16_t depth = 0;
        bool is_at_rest = false;
        std::uint64_t continuation = 0; ///< of where its events lead
    };
    struct Sample {
        StateNumber number;
        StateNumber parent;
        Event event;
        std::uint64_t continuation;
    };

    void expand(StateNumber number, const State& state)
    {
        std::vector<Event> events;
        system_.enabled(state, events);
        for (const Event event : events) {
            State next = state;
            if (is_stopped_)
                return;
            if (!happens(next, event, number))
                continue;
            ++outcome_.edges;
            if (watcher_)
                watcher_(state, event, next);
            const Digest digest = system_.digest(next);
            nodes_[number].continuation += weight_of(event, digest);
            const StateNumber target = reach(std::move(next), number, event);
            if (system_.is_answer(state, event))
                answers_.emplace_back(number, target);
        }
    }

    static std::uint64_t weight_of(Event event, const Digest& digest)
    {
        Folder folder;
        folder.add(event);
        folder.add(digest.first);
        return folder.digest().second;
    }

    bool happens(State& state, Event event, StateNumber from)
    {
        try {
            system_.happen(state, event);
            return true;
        } catch (const Violation& violation) {
            auto path = path_to(from);
            path.push_back(event);
            report(violation, std::move(path));
            return false;
        }
    }

    void report(const Violation& violation, std::vector<Event> path, std::vector<Event> other_path = {})
    {
        const bool is_known
            = std::ranges::any_of(outcome_.findings, [&](const Finding& f) { return f.violation.what == violation.what; });
        if (!is_known)
            outcome_.findings.push_back({violation, std::move(path), std::move(other_path)});
        is_stopped_ = is_stopped_ || limits_.stops_at_first;
    }

    StateNumber reach(State&& state, StateNumber parent, Event event)
    {
        const auto next_number = static_cast<StateNumber>(nodes_.size());
        const auto [place, is_new] = numbers_.try_emplace(system_.digest(state), next_number);
        if (!is_new) {
            if (++meetings_ % kSampled == 0)
                samples_.push_back({place->second, parent, event, continuation_of(state)});
            return place->second;
        }
        const auto depth = static_cast<std::uint16_t>(nodes_.empty() ? 0 : nodes_[parent].depth + 1);
        nodes_.push_back({parent, event, depth, system_.is_at_rest(state), 0});
        if (nodes_.size() > limits_.max_states) {
            report({"bound", "there are more than " + std::to_string(limits_.max_states) + " states"}, path_to(next_number));
            is_stopped_ = true;
        }
        frontier_.emplace_back(next_number, std::move(state));
        return next_number;
    }

    std::uint64_t continuation_of(const State& state) const
    {
        std::vector<Event> events;
        system_.enabled(state, events);
        std::uint64_t sum = 0;
        for (const Event event : events) {
            State next = state;
            try {
                system_.happen(next, event);
                sum += weight_of(event, system_.digest(next));
            } catch (const Violation&) { // it is found where the state is expanded
            }
        }
        return sum;
    }

    void judge_samples()
    {
        for (const Sample& sample : samples_) {
            if (nodes_[sample.number].continuation == sample.continuation)
                continue;
            auto other = path_to(sample.parent);
            other.push_back(sample.event);
            report({"folding", "two paths to what is called one state go on differently"}, path_to(sample.number),
                std::move(other));
        }
    }

    // Backwards along the answers, from all states at rest.
    void judge_liveness()
    {
        std::vector<StateNumber> begin_of(nodes_.size() + 1, 0); // of the answers that lead to a state
        for (const auto& [from, to] : answers_)
            ++begin_of[to + 1];
        for (std::size_t i = 1; i < begin_of.size(); ++i)
            begin_of[i] += begin_of[i - 1];
        std::vector<StateNumber> sources(answers_.size());
        auto free_place = begin_of;
        for (const auto& [from, to] : answers_)
            sources[free_place[to]++] = from;

        std::vector<bool> is_live(nodes_.size(), false);
        std::vector<StateNumber> to_visit;
        const auto visit = [&](StateNumber number) {
            if (!is_live[number])
                to_visit.push_back(number);
            is_live[number] = true;
        };
        for (StateNumber number = 0; number < nodes_.size(); ++number)
            if (nodes_[number].is_at_rest)
                visit(number);
        while (!to_visit.empty()) {
            const StateNumber number = to_visit.back();
            to_visit.pop_back();
            for (StateNumber i = begin_of[number]; i < begin_of[number + 1]; ++i)
                visit(sources[i]);
        }
        const auto stuck = std::ranges::find(is_live, false);
        if (stuck != is_live.end())
            report({"live", "no answer that is owed leads from here to rest"},
                path_to(static_cast<StateNumber>(stuck - is_live.begin())));
    }

    std::vector<Event> path_to(StateNumber number) const
    {
        std::vector<Event> path;
        for (; number != 0; number = nodes_[number].parent)
            path.push_back(nodes_[number].event);
        std::ranges::reverse(path);
        return path;
    }

    const System& system_;
    Limits limits_;
    Watcher watcher_;
    Outcome outcome_;
    bool is_stopped_ = false;
    std::unordered_map<Digest, StateNumber> numbers_;
    std::vector<Node> nodes_;
    std::deque<std::pair<StateNumber, State>> frontier_;
    std::vector<std::pair<StateNumber, StateNumber>> answers_;
    std::size_t meetings_ = 0;
    std::vector<Sample> samples_;
};

} // namespace safetp::explore
