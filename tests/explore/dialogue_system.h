// ftp::ControlChannel and its surroundings as one system for the search.
#pragma once

#include "environment.h"
#include "probe.h"
#include "search.h"

#include <string>
#include <vector>

namespace safetp::explore {

/// What a proxy client says first, when it names its server.
inline constexpr std::string_view kFirstLineAtProxy = "USER anna";

class DialogueSystem {
public:
    struct State {
        explicit State(const Configuration& configuration);
        State(const State& other) : channel(ftp::DialogueProbe::copy(other.channel)), environment(other.environment) { }

        ftp::ControlChannel channel;
        Environment environment;
    };

    explicit DialogueSystem(const Configuration& configuration); ///< which must outlive this

    State initial() const;
    void enabled(const State& state, std::vector<Event>& events) const;
    void happen(State& state, Event event) const;
    Digest digest(const State& state) const;
    bool is_at_rest(const State& state) const;
    bool is_answer(const State& state, Event event) const;

    std::string phase(const State& state) const { return ftp::DialogueProbe::phase(state.channel); }
    std::string label(Event event) const; ///< what happens, without its numbers
    /// The script of a unit test: what happens and what comes out of it.
    std::string script(const std::vector<Event>& path) const;

private:
    template <typename Heard>
    void happen(State& state, const Occurrence& occurrence, const Heard& heard) const;

    const Configuration& configuration_;
    Surroundings surroundings_;
};

} // namespace safetp::explore
