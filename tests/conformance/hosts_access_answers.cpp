// hosts-access-answers DRIVER [--fill] FILE...: asks the real library the files' cases, says which answers are not its own, and
// ends with "N passed, N failed". With --fill it prints the cases with its answers instead: that is how new ones are made.
#include "case_json.h"
#include "fake_machine.h"
#include "libwrap.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace safetp::conformance;

namespace {

Scene located(Scene scene)
{
    for (std::string* text : {&scene.allow, &scene.deny})
        *text = replaced(*text, "@DIR@", kFakeDirectory);
    for (auto& [name, text] : scene.files)
        text = replaced(text, "@DIR@", kFakeDirectory);
    return scene;
}

/// The driver runs no commands: what they wrote is taken from the case.
Answer completed(Answer answer, const Answer& expected)
{
    answer.events.clear();
    for (std::string& line : answer.diag)
        line = replaced(line, std::string(kFakeDirectory) + "/", "@DIR@/");
    for (auto& [name, value] : answer.effects)
        value = replaced(value, std::string(kFakeDirectory) + "/", "@DIR@/");
    const auto out = expected.effects.find("out");
    if (out != expected.effects.end())
        answer.effects["out"] = out->second;
    const auto sent = expected.effects.find("sent_to_client");
    if (sent != expected.effects.end() && answer.outcome == "twisted" && expected.outcome == "twisted")
        answer.effects["sent_to_client"] = sent->second;
    return answer;
}

struct Count {
    unsigned passed = 0;
    unsigned failed = 0;
};

void ask_file(Libwrap& library, const std::string& path, bool fill, Count& count)
{
    std::ifstream stream(path);
    if (!stream)
        throw std::runtime_error("cannot read " + path);
    for (std::string line; std::getline(stream, line);) {
        std::expected<Case, std::string> subject = parse_case(line);
        if (!subject)
            throw std::runtime_error(path + ": " + subject.error());
        const auto answers = library.ask(located(subject->scene), {subject->question});
        if (!answers)
            throw std::runtime_error(subject->id + ": " + answers.error());
        const Answer answer = completed(answers->front(), subject->expected);
        const std::vector<std::string> found = differences(subject->expected, answer);
        ++(found.empty() ? count.passed : count.failed);
        subject->expected = answer;
        if (fill)
            fmt::print("{}\n", print_case(*subject));
        else
            for (const std::string& difference : found)
                fmt::print("FAILED {}: {}\n", subject->id, difference);
    }
}

int run(const std::string& driver, bool fill, const std::vector<std::string>& files)
{
    Libwrap library(driver);
    Count count;
    for (const std::string& file : files)
        ask_file(library, file, fill, count);
    if (fill)
        return 0;
    fmt::print("{} passed, {} failed\n", count.passed, count.failed);
    return count.failed == 0 && count.passed > 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    const std::vector<std::string> words(argv + 1, argv + argc);
    const bool fill = words.size() > 1 && words[1] == "--fill";
    const std::size_t first_file = fill ? 2 : 1;
    if (words.size() <= first_file) {
        fmt::print(stderr, "usage: hosts-access-answers DRIVER [--fill] FILE...\n");
        return 2;
    }
    try {
        return run(words[0], fill, {words.begin() + static_cast<std::ptrdiff_t>(first_file), words.end()});
    } catch (const std::exception& error) {
        fmt::print(stderr, "hosts-access-answers: {}\n", error.what());
        return 2;
    }
}
