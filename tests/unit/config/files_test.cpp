// The files of the project that are configurations: the shipped one, the bad ones, and those in the documentation.
#include "config/client_config.h"
#include "support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace safetp::config {
namespace {

/// A bad file says itself what is expected of it: lines `# expect: LINE: SEVERITY: SUBSTRING`.
struct Expected {
    unsigned line;
    std::string severity;
    std::string text;
};

std::vector<Expected> expected_of(const std::string& file)
{
    std::vector<Expected> all;
    const std::string mark = "# expect: ";
    for (const std::string& line : lines_of(file)) {
        if (!line.starts_with(mark))
            continue;
        std::string rest = line.substr(mark.size());
        const auto first = rest.find(": ");
        const auto second = rest.find(": ", first + 2);
        if (second == std::string::npos)
            throw std::runtime_error("unreadable: " + line);
        const auto number = static_cast<unsigned>(std::stoul(rest));
        all.push_back({number, rest.substr(first + 2, second - first - 2), rest.substr(second + 2)});
    }
    return all;
}

TEST(BadFiles, EachHasExactlyTheProblemsItNames)
{
    unsigned count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(project_file("tests/data/bad"))) {
        ++count;
        const Loaded loaded = load(entry.path().string());
        const auto expected = expected_of(read_whole(entry.path()));
        ASSERT_FALSE(expected.empty()) << entry.path();
        ASSERT_EQ(loaded.problems.size(), expected.size()) << to_string(loaded.problems);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const Problem& problem = loaded.problems[i];
            EXPECT_EQ(problem.line, expected[i].line) << problem.to_string();
            EXPECT_EQ(problem.severity == Problem::Severity::error ? "error" : "warning", expected[i].severity)
                << problem.to_string();
            EXPECT_NE(problem.text.find(expected[i].text), std::string::npos)
                << problem.to_string() << "\n  does not hold: " << expected[i].text;
        }
    }
    EXPECT_GE(count, 25u);
}

TEST(ShippedFile, IsTheDefaultConfiguration)
{
    const Loaded loaded = load(project_file("config/safetpd.toml").string());
    EXPECT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
    EXPECT_TRUE(loaded.config == parse("", "").config);
}

/// "#key = value" is a key without a default; "# text" is a comment.
bool is_key_behind_hash(const std::string& line)
{
    return line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && line.find(" = ") != std::string::npos;
}

std::string key_behind_hash(const std::string& line) { return line.substr(1, line.find(" = ") - 1); }

/// The shipped file with all keys live but those.
std::string with_live_keys(const std::set<std::string>& but)
{
    std::string text;
    std::string section;
    for (const std::string& line : lines_of(read_whole(project_file("config/safetpd.toml")))) {
        if (line.starts_with("["))
            section = line;
        const bool is_wanted = is_key_behind_hash(line) && !but.contains(section + key_behind_hash(line));
        text += (is_wanted ? line.substr(1) : line) + "\n";
    }
    return text;
}

TEST(ShippedFile, ItsExamplesAreGood)
{
    const Loaded started = parse(with_live_keys({"[server]address", "[server]port"}), "started");
    EXPECT_TRUE(started.problems.empty()) << to_string(started.problems);
    EXPECT_EQ(started.config.server.argv0, "in.ftpd");
    const std::string text = with_live_keys({"[server]command", "[server]argv0", "[server]user", "[server]directory"});
    const Loaded connected = parse(text, "connected");
    EXPECT_TRUE(connected.problems.empty()) << to_string(connected.problems);
    EXPECT_EQ(connected.config.data.announce.address, "ftp.example.org");
}

TEST(ShippedFile, HasEveryKeyOnceInItsSectionWithAnExplanation)
{
    std::map<std::string, unsigned> seen;
    std::string section;
    bool is_explained = false;
    for (const std::string& line : lines_of(read_whole(project_file("config/safetpd.toml")))) {
        if (line.starts_with("[")) {
            section = line.substr(line.find_first_not_of('['), line.find(']') - line.find_first_not_of('[')) + ".";
            is_explained = false;
        } else if (is_key_behind_hash(line) || (!line.empty() && line[0] >= 'a' && line[0] <= 'z')) {
            EXPECT_TRUE(is_explained) << line;
            ++seen[section + (line[0] == '#' ? key_behind_hash(line) : line.substr(0, line.find(' ')))];
            is_explained = false;
        } else {
            is_explained = line.starts_with("# ");
        }
    }
    for (const std::string& key : known_keys()) {
        const auto inner = key.find('.', key.find('.') + 1); // "tls.certificates.key" is shown inside tls.certificates
        EXPECT_EQ(seen[key.substr(0, inner)], 1u) << key;
    }
}

/// "section.key" of every key that a manual explains.
std::set<std::string> explained_in(const std::string& manual)
{
    std::set<std::string> explained;
    std::string section;
    for (const std::string& line : lines_of(read_whole(project_file(manual)))) {
        const std::string header = ".Ss ";
        const std::string item = ".It Cm ";
        if (line.starts_with(header)) {
            const auto open = line.find_last_of('[');
            section = open == std::string::npos ? "" : line.substr(open + 1, line.find(']') - open - 1) + ".";
        } else if (line.starts_with(item)) {
            explained.insert(section + line.substr(item.size(), line.find(' ', item.size()) - item.size()));
        }
    }
    return explained;
}

void expect_no_others(const std::set<std::string>& explained, const std::vector<std::string>& known)
{
    for (const std::string& key : explained) // "tls.certificates" is the list of "tls.certificates.key"
        EXPECT_TRUE(std::ranges::any_of(known, [&](const std::string& each) { return (each + ".").starts_with(key + "."); }))
            << "the manual explains a key that does not exist: " << key;
}

TEST(Manual, ExplainsEveryKeyUnderItsSection)
{
    const auto explained = explained_in("docs/man/safetpd.toml.5");
    for (const std::string& key : known_keys())
        EXPECT_TRUE(explained.contains(key)) << key;
    expect_no_others(explained, known_keys());
}

// What both programs have is explained once, in the daemon's.
TEST(Manual, ExplainsEveryKeyOfTheClientSide)
{
    const auto explained = explained_in("docs/man/safetp.toml.5");
    const auto daemons = explained_in("docs/man/safetpd.toml.5");
    for (const std::string& key : known_client_keys())
        EXPECT_TRUE(explained.contains(key) || daemons.contains(key)) << key;
    for (const std::string_view key : {"security", "trust", "authorities", "server.host", "server.pin", "server.security"})
        EXPECT_TRUE(explained.contains(std::string(key))) << key;
    expect_no_others(explained, known_client_keys());
}

/// Each TOML example of a guide is a whole configuration. How many there are.
unsigned check_examples(const std::string& guide)
{
    std::string example;
    unsigned count = 0;
    bool is_inside = false;
    unsigned number = 0;
    for (const std::string& line : lines_of(read_whole(project_file(guide)))) {
        ++number;
        if (line == "```toml") {
            is_inside = true;
            example.clear();
        } else if (line == "```" && is_inside) {
            is_inside = false;
            ++count;
            const Loaded loaded = parse(example, fmt::format("{}: example ending in line {}", guide, number));
            EXPECT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
            EXPECT_FALSE(loaded.lines.empty()) << "an example without a key, ending in line " << number;
        } else if (is_inside) {
            example += line + "\n";
        }
    }
    EXPECT_FALSE(is_inside);
    return count;
}

TEST(Guide, ItsExamplesAreGood)
{
    EXPECT_GE(check_examples("docs/configuration.md"), 8u);
    EXPECT_GE(check_examples("docs/hosts-access.md"), 2u);
}

} // namespace
} // namespace safetp::config
