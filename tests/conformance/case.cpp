#include "case.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace safetp::conformance {

namespace {

std::string in_line(const std::vector<std::string>& items)
{
    std::string text = "[";
    for (const std::string& item : items)
        text += (text.size() > 1 ? ", \"" : "\"") + item + "\"";
    return text + "]";
}

std::string in_line(const std::map<std::string, std::string>& items)
{
    std::string text = "{";
    for (const auto& [name, value] : items)
        text += (text.size() > 1 ? ", " : "") + name + ": \"" + value + "\"";
    return text + "}";
}

std::vector<std::string> comparable(const std::vector<std::string>& lines)
{
    std::vector<std::string> result;
    std::ranges::transform(lines, std::back_inserter(result), without_system_error);
    return result;
}

const std::set<std::string>& system_errors()
{
    static const std::set<std::string> texts = [] {
        std::set<std::string> all;
        for (int number = 0; number < 134; ++number)
            all.insert(std::strerror(number));
        return all;
    }();
    return texts;
}

} // namespace

bool Case::has_tag(const std::string& tag) const { return std::ranges::find(tags, tag) != tags.end(); }

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

std::string without_system_error(const std::string& line)
{
    if (const std::size_t number = line.find(": process "); number != std::string::npos) {
        const std::size_t begin = number + std::strlen(": process ");
        const std::size_t end = line.find_first_not_of("0123456789", begin);
        if (end != std::string::npos && end > begin && line.substr(end).starts_with(" exited with signal "))
            return line.substr(0, begin) + "<number>" + line.substr(end);
    }
    const std::size_t colon = line.rfind(": ");
    if (colon == std::string::npos || !system_errors().contains(line.substr(colon + 2)))
        return line;
    return line.substr(0, colon) + ": <system error>";
}

std::vector<std::string> differences(const Answer& expected, const Answer& got)
{
    std::vector<std::string> found;
    const auto say = [&found](const char* what, const std::string& wanted, const std::string& had) {
        found.push_back(std::string(what) + ": expected " + wanted + ", got " + had);
    };
    if (expected.outcome != got.outcome)
        say("outcome", expected.outcome, got.outcome);
    if (expected.matched != got.matched)
        say("matched", expected.matched.value_or("null"), got.matched.value_or("null"));
    if (expected.lookups != got.lookups)
        say("lookups", in_line(expected.lookups), in_line(got.lookups));
    if (comparable(expected.diag) != comparable(got.diag))
        say("diag", in_line(expected.diag), in_line(got.diag));
    if (expected.effects != got.effects)
        say("effects", in_line(expected.effects), in_line(got.effects));
    if (expected.events != got.events)
        say("events", in_line(expected.events), in_line(got.events));
    return found;
}

} // namespace safetp::conformance
