// hosts-access-differential DRIVER [--reading strict|safe] [--seed N|fresh] [--comparisons N]: asks src/access and the real
// library the same questions about generated tables and prints each difference as a case of README.md's format, made as small
// as it stays one.
#include "case_json.h"
#include "engine.h"
#include "fake_machine.h"
#include "generator.h"
#include "libwrap.h"
#include "shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace safetp::conformance {

namespace {

constexpr unsigned kMostDifferences = 20; ///< enough to read
constexpr unsigned kLargeExamEvery = 50;

struct Options {
    std::string driver;
    std::uint64_t seed = 1;
    access::Reading reading = access::Reading::strict;
    unsigned long comparisons = 100000;
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

std::vector<Answer> ask_engine(const Exam& exam, access::Reading reading)
{
    bool bad_socket = false;
    std::vector<std::string> daemons;
    for (const Question& question : exam.questions)
        daemons.push_back(question.daemon);
    Engine engine(exam.scene, reading, fake_machine(exam.scene, bad_socket), daemons);
    std::vector<Answer> answers;
    access::LibraryState state;
    for (const Question& question : exam.questions) {
        bad_socket = question.bad_socket;
        if (!question.keep_state || ends_process(answers.back()))
            state = {};
        access::LibraryState state_before = state;
        answers.push_back(engine.ask(question, &state));
        const Answer linear = engine.ask(question, &state_before, true);
        if (!differences(linear, answers.back()).empty())
            answers.back().events.push_back("the index gives another answer: " + differences(linear, answers.back()).front());
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

bool warns(const Answer& answer)
{
    return std::ranges::any_of(answer.diag, [](const std::string& line) { return line.starts_with("err: "); });
}

bool says(const Answer& answer, std::initializer_list<std::string_view> among)
{
    return std::ranges::any_of(answer.diag, [&](const std::string& line) {
        return std::ranges::any_of(among, [&](std::string_view words) { return line.find(words) != std::string::npos; });
    });
}

/// Why the safe reading may let in whom the library refuses: accidents of the library's that refuse; and a rule that is not
/// used because its pattern is in doubt does not come so far as to an aclexec that fails, nor to an account that is missing.
bool has_reason_to_let_in(const Answer& theirs, const Answer& ours)
{
    return says(ours, {"libwrap would take this rule back", "a name of more than 127 bytes"})
        || (says(theirs, {"aclexec returned 1"}) && warns(ours))
        || (says(theirs, {"unknown user", "unknown group"}) && warns(ours));
}

/// What the safe reading passes over in silence: names in comments behind something, which it does not ask for. And addresses
/// that getnameinfo(3) does not write.
bool is_silent_departure(const Exam& exam, const Answer& theirs)
{
    for (const std::string* text : {&exam.scene.allow, &exam.scene.deny}) {
        for (std::size_t at = text->find('#'); at != std::string::npos; at = text->find('#', at + 1))
            if (at > 0 && (*text)[at - 1] != '\n' && !theirs.lookups.empty())
                return true;
    }
    const std::string& address = exam.questions.back().client_addr;
    return address.find(".0") != std::string::npos && address.ends_with("3");
}

/// strict: nothing may differ. safe: it refuses more, with a warning that says why, and lets in no more.
std::vector<std::string> objections(access::Reading reading, const Answer& theirs, const Answer& ours)
{
    if (reading == access::Reading::strict)
        return differences(theirs, ours);
    if (!ours.events.empty() && ours.events.back().starts_with("the index"))
        return {ours.events.back()};
    if (!theirs.granted() && ours.granted() && !has_reason_to_let_in(theirs, ours))
        return {fmt::format("safe: {}, where the library said {}", ours.outcome, theirs.outcome)};
    if (theirs.granted() == ours.granted() || warns(ours))
        return {};
    return {fmt::format("safe: {} without a warning, where the library said {}", ours.outcome, theirs.outcome)};
}

class Differential {
public:
    explicit Differential(const Options& options) : libwrap_(options.driver), seed_(options.seed), reading_(options.reading) { }

    /// How many differences there were.
    unsigned compare(unsigned long comparisons)
    {
        Generator generator(seed_);
        unsigned differences_found = 0;
        unsigned long compared = 0;
        for (unsigned long exams = 0; compared < comparisons && differences_found < kMostDifferences; ++exams) {
            Exam exam = exams % kLargeExamEvery == 0 ? generator.large_exam() : generator.small_exam();
            if (reading_ == access::Reading::safe) // it keeps nothing of earlier questions
                std::ranges::for_each(exam.questions, [](Question& question) { question.keep_state = false; });
            differences_found += compare(exam) ? 0 : 1;
            compared += exam.questions.size();
        }
        fmt::print("seed {}: {} comparisons, {} differences\n", seed_, compared, differences_found);
        return differences_found;
    }

private:
    /// True: both sides agree on every question.
    bool compare(const Exam& exam)
    {
        const auto theirs = libwrap_.ask(exam.scene, exam.questions);
        const std::vector<Answer> ours = ask_engine(exam, reading_);
        for (std::size_t i = 0; i < ours.size(); ++i) {
            if (theirs && objections(reading_, (*theirs)[i], ours[i]).empty())
                continue;
            Exam shown = exam;
            shown.questions.resize(i + 1);
            if (reading_ == access::Reading::safe && theirs && is_silent_departure(shown, (*theirs)[i]))
                continue;
            report(shrink(std::move(shown), [this](const Exam& smaller) { return differs(smaller); }));
            return false;
        }
        return true;
    }

    bool differs(const Exam& exam)
    {
        const auto theirs = libwrap_.ask(exam.scene, exam.questions);
        if (reading_ == access::Reading::safe && theirs && is_silent_departure(exam, theirs->back()))
            return false;
        return !theirs || !objections(reading_, theirs->back(), ask_engine(exam, reading_).back()).empty();
    }

    void report(const Exam& exam)
    {
        const auto theirs = libwrap_.ask(exam.scene, exam.questions);
        if (!theirs) {
            fmt::print("DIFFERENCE (seed {}): {}\n{}\n", seed_, theirs.error(), print_case(as_case(exam, {}, "crash")));
            return;
        }
        fmt::print("DIFFERENCE (seed {}):\n", seed_);
        for (const std::string& line : objections(reading_, theirs->back(), ask_engine(exam, reading_).back()))
            fmt::print("    {}\n", line);
        fmt::print("{}\n", print_case(as_case(exam, theirs->back(), "generated")));
    }

    Libwrap libwrap_;
    std::uint64_t seed_;
    access::Reading reading_;
};

/// Empty: the options are good.
std::string read_options(const std::vector<std::string>& words, Options& options)
{
    if (words.empty())
        return "no DRIVER";
    options.driver = words[0];
    for (std::size_t i = 1; i < words.size(); i += 2) {
        if (i + 1 == words.size())
            return words[i] + " needs a value";
        const std::string& value = words[i + 1];
        if (words[i] == "--seed")
            options.seed = value == "fresh" ? std::random_device()() : std::stoull(value);
        else if (words[i] == "--reading" && (value == "strict" || value == "safe"))
            options.reading = value == "safe" ? access::Reading::safe : access::Reading::strict;
        else if (words[i] == "--comparisons")
            options.comparisons = std::stoul(value);
        else
            return "no option " + words[i];
    }
    return "";
}

int run(const std::vector<std::string>& words)
{
    Options options;
    try {
        const std::string complaint = read_options(words, options);
        if (complaint.empty())
            return Differential(options).compare(options.comparisons) == 0 ? 0 : 1;
        fmt::print(stderr, "hosts-access-differential: {}\n", complaint);
    } catch (const std::exception& error) {
        fmt::print(stderr, "hosts-access-differential: {}\n", error.what());
    }
    return 2;
}

} // namespace

} // namespace safetp::conformance

int main(int argc, char** argv) { return safetp::conformance::run(std::vector<std::string>(argv + 1, argv + argc)); }
