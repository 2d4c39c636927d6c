#include "config/load.h"

#include "base/unique_fd.h"
#include "config/keys.h"
#include "config/line_check.h"
#include "config/node.h"
#include "config/suggest.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace safetp::config {

/// toml++ 3.3 took something for granted that the text does not keep, as in "[ }".
struct BrokenAssumption {};
[[noreturn]] void throw_broken_assumption() { throw BrokenAssumption{}; }

} // namespace safetp::config

// With NDEBUG the library's assertions are promises to the compiler, and a text that breaks one has undefined effects. Here
// they throw, in all builds. Nesting is bounded because the library recurses.
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : safetp::config::throw_broken_assumption())
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_MAX_NESTED_VALUES 8
#include <toml++/toml.h>

namespace safetp::config {

namespace {

constexpr unsigned kMaxTableDepth = 6; // ours is 4: top, section, list, table

/// The file's text, or the reason why there is none.
Result<std::string> read_file(const std::string& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // O_NONBLOCK: a FIFO must not hold us
    struct stat status;
    if (!file || ::fstat(file.get(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, std::string("cannot be read: ") + std::strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::bad_file, 0, "is not a regular file");
    std::string text(kMaxFileBytes + 1, '\0'); // one more than allowed: what grows meanwhile is seen too
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(ErrorCode::bad_file, errno, std::string("cannot be read: ") + std::strerror(errno));
        if (count == 0)
            break;
        size += static_cast<std::size_t>(count);
    }
    text.resize(size);
    return text;
}

std::string_view describe_other(toml::node_type type)
{
    switch (type) {
    case toml::node_type::floating_point:
        return "a number with a fraction";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
        return "a date or time of day";
    default:
        return "a value that has no place here";
    }
}

Node convert(const toml::node& source, unsigned line, unsigned depth);

void convert_members(const toml::table& table, unsigned depth, Node& node)
{
    node.kind = Node::Kind::table;
    for (const auto& [key, value] : table) {
        Node member = convert(value, key.source().begin.line, depth + 1);
        member.key = std::string(key.str());
        node.items.push_back(std::move(member));
    }
    std::ranges::sort(node.items, {}, &Node::line); // the library sorts by name, people read by line
}

Node convert(const toml::node& source, unsigned line, unsigned depth)
{
    Node node;
    node.line = line;
    if (depth > kMaxTableDepth) {
        node.text = "a value nested that deep";
    } else if (const auto* text = source.as_string()) {
        node.kind = Node::Kind::text;
        node.text = text->get();
    } else if (const auto* number = source.as_integer()) {
        node.kind = Node::Kind::integer;
        node.number = number->get();
    } else if (const auto* truth = source.as_boolean()) {
        node.kind = Node::Kind::boolean;
        node.truth = truth->get();
    } else if (const auto* table = source.as_table()) {
        convert_members(*table, depth, node);
    } else if (const auto* list = source.as_array()) {
        node.kind = Node::Kind::list;
        for (const toml::node& item : *list)
            node.items.push_back(convert(item, item.source().begin.line, depth + 1));
    } else {
        node.text = describe_other(source.type());
    }
    return node;
}

std::string_view line_at(std::string_view text, unsigned number)
{
    for (unsigned line = 1; line < number && !text.empty(); ++line) {
        const auto end = text.find('\n');
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return text.substr(0, text.find('\n'));
}

/// Other programs' files are often no TOML at all ("PassivePorts 50000 50999", "ssl_enable=YES"): the first word tells.
std::string hint_for_line(std::string_view line)
{
    constexpr std::string_view kWordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const auto word = line.substr(0, line.find_first_not_of(kWordCharacters));
    if (const auto meaning = explain_foreign_name(word))
        return fmt::format(" (if \"{}\" is another program's key: {})", word, *meaning);
    return "";
}

/// Refuses what is not fit for the library; false when it did.
bool check_lines(std::string_view text, Report& report)
{
    for (unsigned number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string problem;
        if (end > kMaxLineBytes)
            problem = fmt::format("a line of more than {} bytes: break it up", kMaxLineBytes);
        else if (const auto reason = describe_unfit_line(text.substr(0, end)); !reason.empty())
            problem = fmt::format("syntax: {}", reason);
        if (!problem.empty()) {
            report.error(number, problem);
            return false;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return true;
}

bool does_break_assumption(std::string_view text)
{
    try {
        (void)toml::parse(text);
    } catch (const toml::parse_error&) {
        return false;
    } catch (const BrokenAssumption&) {
        return true;
    }
    return false;
}

/// The first line at whose end the library fails: it reads from front to back, so halving finds it.
unsigned find_broken_line(std::string_view text)
{
    std::vector<std::size_t> ends;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1))
        ends.push_back(end + 1);
    const auto is_good = [text](std::size_t end) { return !does_break_assumption(text.substr(0, end)); };
    const auto first = std::ranges::partition_point(ends, is_good);
    return static_cast<unsigned>(first - ends.begin()) + 1;
}

std::optional<toml::table> parse_toml(std::string_view text, Report& report)
{
    try {
        return toml::parse(text);
    } catch (const toml::parse_error& error) {
        const unsigned line = error.source().begin.line;
        report.error(line, fmt::format("syntax: {}{}", error.description(), hint_for_line(line_at(text, line))));
    } catch (const BrokenAssumption&) {
        report.error(find_broken_line(text), "syntax: a value is missing, or brackets do not match");
    }
    return std::nullopt;
}

std::optional<Node> read_tree(std::string_view text, Report& report)
{
    if (text.size() > kMaxFileBytes) {
        report.error(0, fmt::format("the file is larger than {} bytes: is it the right one?", kMaxFileBytes));
        return std::nullopt;
    }
    if (!check_lines(text, report))
        return std::nullopt;
    const auto table = parse_toml(text, report);
    if (!table)
        return std::nullopt;
    Node root;
    convert_members(*table, 0, root);
    return root;
}

bool has_no_error(const std::vector<Problem>& problems)
{
    return std::ranges::none_of(problems, [](const Problem& problem) { return problem.severity == Problem::Severity::error; });
}

} // namespace

bool Loaded::is_usable() const
{
    return has_no_error(problems);
}

Loaded parse(std::string_view toml, const std::string& name)
{
    Loaded loaded;
    Report report(name);
    if (const auto root = read_tree(toml, report)) {
        read_config(*root, loaded.config, report);
        check_rules(loaded.config, report);
    }
    loaded.problems = report.take_problems();
    loaded.lines = report.take_lines();
    return loaded;
}

Loaded load(const std::string& path)
{
    const auto text = read_file(path);
    if (text)
        return parse(*text, path);
    Loaded loaded;
    loaded.problems.push_back({Problem::Severity::error, path, 0, text.error().context});
    return loaded;
}

// ---- safetp.toml

// A person types at an old FTP program, and the server has limits of its own: ours only keep dead sessions from piling up.
ClientConfig::ClientConfig()
{
    timeouts.login = std::chrono::minutes(5);
    timeouts.idle = std::chrono::hours(1);
    limits.sessions = 500;
    limits.sessions_per_client = 100; // whose own programs all come from loopback
}

bool LoadedClient::is_usable() const { return has_no_error(problems); }

LoadedClient parse_client(std::string_view toml, const std::string& name)
{
    LoadedClient loaded;
    Report report(name);
    if (const auto root = read_tree(toml, report))
        read_client_config(*root, loaded.config, report);
    loaded.problems = report.take_problems();
    return loaded;
}

LoadedClient load_client(const std::string& path)
{
    const auto text = read_file(path);
    if (text)
        return parse_client(*text, path);
    LoadedClient loaded;
    loaded.problems.push_back({Problem::Severity::error, path, 0, text.error().context});
    return loaded;
}

} // namespace safetp::config
