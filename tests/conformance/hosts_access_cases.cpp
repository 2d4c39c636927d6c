// hosts-access-cases [--reading strict|safe] [--differences FILE] FILE...: asks src/access every case of the files and says
// which answers differ. The last line is "N passed, N failed"; the exit status is 0 where none failed, 2 for a mistake in the
// call.
#include "case_json.h"
#include "engine.h"
#include "shell_machine.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace safetp::conformance {

namespace {

struct Options {
    access::Reading reading = access::Reading::strict;
    std::string differences; ///< file with the ids in which the safe reading may differ
    std::vector<std::string> files;
};

struct Count {
    unsigned passed = 0;
    unsigned failed = 0;
};

int usage(const std::string& complaint)
{
    fmt::print(stderr,
        "hosts-access-cases: {}\nusage: hosts-access-cases [--reading strict|safe] [--differences FILE] FILE...\n", complaint);
    return 2;
}

/// Empty: the options are good.
std::string read_options(const std::vector<std::string>& words, Options& options)
{
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (!word.starts_with("--")) {
            options.files.push_back(word);
            continue;
        }
        if (i + 1 == words.size())
            return word + " needs a value";
        const std::string& value = words[++i];
        if (word == "--differences")
            options.differences = value;
        else if (word == "--reading" && value == "safe")
            options.reading = access::Reading::safe;
        else if (word != "--reading")
            return "no option " + word;
        else if (value != "strict")
            return "no reading '" + value + "'";
    }
    return options.files.empty() ? "no file of cases" : "";
}

/// Lines of an id, blanks and a reason; lines that begin with # are comments.
std::map<std::string, std::string> read_reasons(const std::string& path)
{
    std::map<std::string, std::string> reasons;
    std::ifstream stream(path);
    if (!stream)
        throw std::runtime_error("cannot read " + path);
    for (std::string line; std::getline(stream, line);) {
        const std::size_t end = line.find_first_of(" \t");
        if (line.empty() || line[0] == '#')
            continue;
        if (end == std::string::npos)
            throw std::runtime_error(path + ": '" + line + "' has no reason");
        reasons[line.substr(0, end)] = line.substr(line.find_first_not_of(" \t", end));
    }
    return reasons;
}

bool warns(const Answer& answer)
{
    for (const std::string& line : answer.diag)
        if (line.starts_with("err: ") || line.starts_with("warning: "))
            return true;
    return false;
}

/// What the safe reading may do: refuse, for a reason of its own that it says.
bool refuses_and_warns(const Answer& got) { return !got.granted() && warns(got); }

/// Or say more than the library does.
bool only_says_more(const Answer& expected, Answer got)
{
    auto wanted = expected.diag.begin();
    for (const std::string& line : got.diag)
        if (wanted != expected.diag.end() && without_system_error(*wanted) == without_system_error(line))
            ++wanted;
    const bool has_all = wanted == expected.diag.end();
    got.diag = expected.diag;
    return has_all && differences(expected, got).empty();
}

class Runner {
public:
    Runner(access::Reading reading, std::map<std::string, std::string> reasons)
        : reading_(reading)
        , reasons_(std::move(reasons))
    {
    }

    Count run_file(const std::string& path)
    {
        std::ifstream stream(path);
        if (!stream)
            throw std::runtime_error("cannot read " + path);
        Count count;
        unsigned number = 0;
        for (std::string line; std::getline(stream, line);) {
            ++number;
            if (line.find_first_not_of(" \t\r") == std::string::npos)
                continue;
            const std::vector<std::string> complaints = run_line(line, fmt::format("{}:{}", path, number));
            ++(complaints.empty() ? count.passed : count.failed);
            for (const std::string& complaint : complaints)
                fmt::print("{}\n", complaint);
        }
        if (count.passed + count.failed == 0)
            throw std::runtime_error(path + " holds no case");
        return count;
    }

    /// Ids of the list that no case has, or whose answers were the library's after all.
    std::vector<std::string> unused_reasons() const
    {
        std::vector<std::string> unused;
        for (const auto& [id, reason] : reasons_)
            if (!used_.contains(id))
                unused.push_back(id);
        return unused;
    }

private:
    std::vector<std::string> run_line(const std::string& line, const std::string& where)
    {
        const std::expected<Case, std::string> subject = parse_case(line);
        if (!subject)
            return {fmt::format("FAILED {}: not a case: {}", where, subject.error())};
        std::vector<std::string> found;
        Answer got;
        try {
            ShellMachine machine(*subject);
            Engine engine(machine.scene(), reading_, machine.machine(), {subject->question.daemon});
            got = machine.as_in_case(engine.ask(subject->question, nullptr));
            found = differences(subject->expected, got);
        } catch (const std::exception& error) {
            found = {error.what()};
        }
        if (found.empty() ? !needs_refusal(*subject) : may_differ(*subject, got))
            return {};
        if (found.empty())
            found = {"the safe reading must refuse what the library lets in by accident"};
        found.insert(found.begin(), fmt::format("FAILED {} ({}): {}", subject->id, where, subject->note));
        for (auto detail = found.begin() + 1; detail != found.end(); ++detail)
            *detail = "    " + *detail;
        return found;
    }

    bool needs_refusal(const Case& subject) const
    {
        return reading_ == access::Reading::safe && subject.has_tag("unsafe-quirk") && subject.expected.granted();
    }

    bool may_differ(const Case& subject, const Answer& got)
    {
        if (reading_ == access::Reading::strict || got.outcome.empty())
            return false;
        if (refuses_and_warns(got)) // whom the library lets in: where there is a list, only those that it lists
            return !subject.expected.granted() || reasons_.empty() || is_listed(subject);
        if (needs_refusal(subject))
            return false;
        return only_says_more(subject.expected, got) || is_listed(subject);
    }

    bool is_listed(const Case& subject)
    {
        const bool is_listed = reasons_.contains(subject.id);
        if (is_listed)
            used_.insert(subject.id);
        return is_listed;
    }

    access::Reading reading_;
    std::map<std::string, std::string> reasons_;
    std::set<std::string> used_;
};

int run(const Options& options)
{
    Runner runner(options.reading,
        options.differences.empty() ? std::map<std::string, std::string>() : read_reasons(options.differences));
    Count total;
    for (const std::string& file : options.files) {
        const Count count = runner.run_file(file);
        total.passed += count.passed;
        total.failed += count.failed;
    }
    for (const std::string& id : runner.unused_reasons())
        fmt::print("note: {}: {} is listed, but nothing differs\n", options.differences, id);
    fmt::print("{} passed, {} failed\n", total.passed, total.failed);
    return total.failed == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& words)
{
    Options options;
    const std::string complaint = read_options(words, options);
    if (!complaint.empty())
        return usage(complaint);
    try {
        return run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "hosts-access-cases: {}\n", error.what());
        return 2;
    }
}

} // namespace

} // namespace safetp::conformance

int main(int argc, char** argv) { return safetp::conformance::run(std::vector<std::string>(argv + 1, argv + argc)); }
