// hosts-access-differential DRIVER [--seed N|fresh] [--comparisons N]: asks src/access (strict) and the real library the same
// questions about generated tables and prints each difference as a case of README.md's format, made as small as it stays one.
// hosts-access-differential DRIVER --cases FILE...: asks the library alone, whether the files' answers are its own.
#include "case_json.h"
#include "engine.h"
#include "fake_machine.h"
#include "generator.h"
#include "libwrap.h"
#include "shrink.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace safetp;
using namespace safetp::conformance;

namespace {

constexpr unsigned kMostDifferences = 20; ///< enough to read
constexpr unsigned kLargeExamEvery = 50;

struct Options {
    std::string driver;
    std::uint64_t seed = 1;
    unsigned long comparisons = 100000;
    std::vector<std::string> cases;
    bool are_cases = false;
};

access::FileText read_fake(const Scene& scene, const std::string& path)
{
    using State = access::FileText::State;
    const FakePath found = fake_path(scene, path);
    switch (found.kind) {
    case FakePath::Kind::file: return {State::text, *found.text, 0};
    case FakePath::Kind::directory: return {State::directory, {}, 0};
    case FakePath::Kind::none: break;
    }
    return {found.os_error == ENOENT ? State::missing : State::unreadable, {}, found.os_error};
}

std::vector<std::string> user_events(const access::Effect& effect)
{
    if (const auto* group = std::get_if<access::ApplyGroup>(&effect))
        return {"getgrnam " + group->group};
    if (const auto* user = std::get_if<access::ApplyUser>(&effect))
        return {"getpwnam " + user->user};
    return {};
}

int apply_fake(const access::Effect& effect, bool bad_socket)
{
    if (std::holds_alternative<access::ApplyKeepalive>(effect) || std::holds_alternative<access::ApplyLinger>(effect))
        return bad_socket ? ENOTSOCK : 0;
    if (const auto* variable = std::get_if<access::ApplySetenv>(&effect))
        return variable->name.empty() || variable->name.find('=') != std::string::npos ? EINVAL : 0;
    if (const auto* nice = std::get_if<access::ApplyNice>(&effect)) // libwrap takes a negative result for a failure
        return nice->increment < 0 ? EPERM : 0;
    if (const auto* group = std::get_if<access::ApplyGroup>(&effect))
        return fake_group(group->group) ? 0 : ENOENT;
    if (const auto* user = std::get_if<access::ApplyUser>(&effect))
        return fake_user(user->user) ? 0 : ENOENT;
    return 0;
}

/// `scene` and `bad_socket` outlive what is made of it.
Machine fake_machine(const Scene& scene, const bool& bad_socket)
{
    Machine machine;
    machine.allow_path = "hosts.allow";
    machine.deny_path = "hosts.deny";
    machine.directory = kFakeDirectory;
    machine.read = [&scene](const std::string& path) { return read_fake(scene, path); };
    machine.netgroup
        = [&scene](const std::string& group, const std::string& host) { return fake_netgroup(scene, group, host); };
    machine.run = [](const access::RunCommand& command) {
        const FakeEnd end = command.kind == access::CommandKind::aclexec ? fake_end(command.command) : FakeEnd{};
        return CommandEnd{end.exit_status, end.killed_by, end.killed_by != 0 ? kFakeChild : 0};
    };
    machine.apply = [&bad_socket](const access::Effect& effect) { return apply_fake(effect, bad_socket); };
    machine.twist = [](const std::string&) { return std::string(); };
    machine.describe_user = user_events;
    return machine;
}

bool ends_process(const Answer& answer) { return answer.outcome == "twisted" || answer.outcome == "exited"; }

std::vector<Answer> ask_engine(const Exam& exam)
{
    bool bad_socket = false;
    std::vector<std::string> daemons;
    for (const Question& question : exam.questions)
        daemons.push_back(question.daemon);
    Engine engine(exam.scene, access::Reading::strict, fake_machine(exam.scene, bad_socket), daemons);
    std::vector<Answer> answers;
    access::LibraryState state;
    for (const Question& question : exam.questions) {
        bad_socket = question.bad_socket;
        if (!question.keep_state || ends_process(answers.back()))
            state = {};
        answers.push_back(engine.ask(question, &state));
    }
    return answers;
}

/// The generated texts name the fake directory; a case names @DIR@.
Case as_case(const Exam& exam, const Answer& expected, const std::string& id)
{
    const auto located
        = [](std::string text) { return replaced(std::move(text), std::string(kFakeDirectory) + "/", "@DIR@/"); };
    Case made;
    made.id = id;
    made.scene = exam.scene;
    made.scene.allow = located(made.scene.allow);
    made.scene.deny = located(made.scene.deny);
    for (auto& [name, text] : made.scene.files)
        text = located(text);
    made.question = exam.questions.back();
    made.expected = expected;
    for (std::string& line : made.expected.diag)
        line = located(line);
    for (auto& [name, value] : made.expected.effects)
        value = located(value);
    made.note = "generated";
    if (made.question.keep_state)
        made.note = fmt::format("generated; the last of {} questions to one process", exam.questions.size());
    if (made.question.bad_socket)
        made.note += "; setsockopt fails";
    return made;
}

class Differential {
public:
    explicit Differential(const Options& options) : libwrap_(options.driver), seed_(options.seed) { }

    /// How many differences there were.
    unsigned compare(unsigned long comparisons)
    {
        Generator generator(seed_);
        unsigned differences_found = 0;
        unsigned long compared = 0;
        for (unsigned long exams = 0; compared < comparisons && differences_found < kMostDifferences; ++exams) {
            Exam exam = exams % kLargeExamEvery == 0 ? generator.large_exam() : generator.small_exam();
            differences_found += compare(exam) ? 0 : 1;
            compared += exam.questions.size();
        }
        fmt::print("seed {}: {} comparisons, {} differences\n", seed_, compared, differences_found);
        return differences_found;
    }

    /// Whether the library's answers are the cases'; what commands wrote is not compared, since the driver runs none.
    bool check_cases(const std::string& path)
    {
        std::ifstream stream(path);
        bool all_equal = static_cast<bool>(stream);
        unsigned count = 0;
        for (std::string line; std::getline(stream, line); ++count) {
            const std::expected<Case, std::string> subject = parse_case(line);
            if (!subject)
                throw std::runtime_error(path + ": " + subject.error());
            all_equal = check_case(*subject) && all_equal;
        }
        fmt::print(
            "{}: {} cases, {}\n", path, count, all_equal ? "all as the library answers" : "not all as the library answers");
        return all_equal;
    }

private:
    /// True: both sides agree on every question.
    bool compare(const Exam& exam)
    {
        const auto theirs = libwrap_.ask(exam.scene, exam.questions);
        const std::vector<Answer> ours = ask_engine(exam);
        for (std::size_t i = 0; i < ours.size(); ++i) {
            if (theirs && differences((*theirs)[i], ours[i]).empty())
                continue;
            Exam shown = exam;
            shown.questions.resize(i + 1);
            report(shrink(std::move(shown), [this](const Exam& smaller) { return differs(smaller); }));
            return false;
        }
        return true;
    }

    bool differs(const Exam& exam)
    {
        const auto theirs = libwrap_.ask(exam.scene, exam.questions);
        return !theirs || !differences(theirs->back(), ask_engine(exam).back()).empty();
    }

    void report(const Exam& exam)
    {
        const auto theirs = libwrap_.ask(exam.scene, exam.questions);
        if (!theirs) {
            fmt::print("DIFFERENCE (seed {}): {}\n{}\n", seed_, theirs.error(), print_case(as_case(exam, {}, "crash")));
            return;
        }
        fmt::print("DIFFERENCE (seed {}):\n", seed_);
        for (const std::string& line : differences(theirs->back(), ask_engine(exam).back()))
            fmt::print("    {}\n", line);
        fmt::print("{}\n", print_case(as_case(exam, theirs->back(), "generated")));
    }

    bool check_case(const Case& subject)
    {
        Scene scene = subject.scene;
        for (std::string* text : {&scene.allow, &scene.deny})
            *text = replaced(*text, "@DIR@", kFakeDirectory);
        for (auto& [name, text] : scene.files)
            text = replaced(text, "@DIR@", kFakeDirectory);
        auto answers = libwrap_.ask(scene, {subject.question});
        if (!answers) {
            fmt::print("{}: {}\n", subject.id, answers.error());
            return false;
        }
        Answer expected = subject.expected;
        Answer& got = answers->front();
        got.events.clear();
        for (std::string& line : got.diag)
            line = replaced(line, std::string(kFakeDirectory) + "/", "@DIR@/");
        for (const char* written_by_command : {"out", "sent_to_client"})
            if (expected.outcome == "twisted" || std::string(written_by_command) == "out") {
                expected.effects.erase(written_by_command);
                got.effects.erase(written_by_command);
            }
        const std::vector<std::string> found = differences(expected, got);
        for (const std::string& line : found)
            fmt::print("{}: {}\n", subject.id, line);
        return found.empty();
    }

    Libwrap libwrap_;
    std::uint64_t seed_;
};

/// Empty: the options are good.
std::string read_options(const std::vector<std::string>& words, Options& options)
{
    if (words.empty())
        return "no DRIVER";
    options.driver = words[0];
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] == "--cases") {
            options.cases.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
            return options.cases.empty() ? "--cases needs files" : "";
        }
        if (i + 1 == words.size())
            return words[i] + " needs a value";
        const std::string& value = words[i + 1];
        if (words[i] == "--seed")
            options.seed = value == "fresh" ? std::random_device()() : std::stoull(value);
        else if (words[i] == "--comparisons")
            options.comparisons = std::stoul(value);
        else
            return "no option " + words[i];
        ++i;
    }
    return "";
}

int run(const Options& options)
{
    Differential differential(options);
    if (options.cases.empty())
        return differential.compare(options.comparisons) == 0 ? 0 : 1;
    bool all_equal = true;
    for (const std::string& path : options.cases)
        all_equal = differential.check_cases(path) && all_equal;
    return all_equal ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    try {
        const std::string complaint = read_options({argv + 1, argv + argc}, options);
        if (complaint.empty())
            return run(options);
        fmt::print(stderr, "hosts-access-differential: {}\n", complaint);
    } catch (const std::exception& error) {
        fmt::print(stderr, "hosts-access-differential: {}\n", error.what());
    }
    return 2;
}
