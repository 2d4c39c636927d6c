// What the fuzz targets of the access tables share: an evaluation whose questions are answered out of the question itself.
#pragma once

#include "access/evaluation.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::fuzz {

inline constexpr unsigned kMostSteps = 100'000; ///< more than rules, words and options of an input can ask for

struct AccessAnswer {
    access::Verdict verdict;
    std::vector<std::string> events; ///< lookups, commands and log lines, in order
};

/// Takes what stands before the first `mark` off the text.
inline std::string_view take_until(std::string_view& text, char mark)
{
    const std::size_t end = std::min(text.find(mark), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

inline void note_reports(access::Evaluation& evaluation, AccessAnswer& answer)
{
    for (const access::Report& report : evaluation.take_reports())
        answer.events.push_back(report.level + ": " + report.text);
}

/// Names are `name`, users `user`; a netgroup has every host that is longer than its name; commands end with their length's
/// last bit.
inline AccessAnswer decide(
    const access::Tables& tables, const access::Request& request, const std::string& name, const std::string& user, bool linear)
{
    access::LibraryState state;
    access::Settings settings;
    settings.resident = name.size() % 2 == 0;
    settings.state = &state;
    access::Evaluation evaluation(tables, request, settings);
    std::vector<access::Trace> trace;
    if (linear)
        evaluation.record(&trace);
    AccessAnswer answer;
    access::Step step = evaluation.start();
    for (unsigned steps = 0; !std::holds_alternative<access::Verdict>(step); ++steps) {
        require(steps < kMostSteps, "an evaluation ends");
        note_reports(evaluation, answer);
        if (const auto* lookup = std::get_if<access::LookUp>(&step)) {
            answer.events.push_back("lookup " + std::to_string(static_cast<int>(lookup->fact)));
            step = evaluation.learn(lookup->fact == access::Fact::client_user ? user : name);
        } else if (const auto* group = std::get_if<access::AskNetgroup>(&step)) {
            step = evaluation.answer_netgroup(group->host.size() > group->group.size());
        } else if (const auto* command = std::get_if<access::RunCommand>(&step)) {
            answer.events.push_back("run " + command->command);
            step = evaluation.answer_command(static_cast<int>(command->command.size() % 2));
        } else {
            step = evaluation.answer_effect(0);
        }
    }
    note_reports(evaluation, answer);
    answer.verdict = std::get<access::Verdict>(step);
    return answer;
}

} // namespace safetp::fuzz
