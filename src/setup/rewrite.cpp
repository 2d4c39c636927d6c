#include "setup/rewrite.h"

#include "config/load.h"
#include "setup/ftpd_conf.h"
#include "setup/openings.h"
#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace safetp::setup {

namespace {

constexpr std::string_view kBlockBegin
    = "# safetpd setup: begin. Only this machine may reach the raw ftpd; --undo takes this out.";
constexpr std::string_view kBlockEnd = "# safetpd setup: end";
constexpr std::string_view kBeginMark = "# safetpd setup: begin";
constexpr std::size_t kMaxRuleBytes = 1500; // libwrap reads less than 2048 in a line

std::string with_newline(std::string_view text)
{
    return std::string(text) + (text.empty() || text.ends_with('\n') ? "" : "\n");
}

/// Replaces each line that `is_setting` knows by `replacement`, or appends it where there is none.
template <typename Predicate>
std::string with_setting(std::string_view text, const std::string& replacement, Predicate is_setting)
{
    std::string out;
    bool is_there = false;
    for (const Line& line : split_lines(text)) {
        if (!is_setting(line.text)) {
            out += text.substr(line.begin, line.end - line.begin);
            continue;
        }
        is_there = true;
        out += replacement;
        out += text.substr(line.begin + line.text.size(), line.end - line.begin - line.text.size());
    }
    return is_there ? out : with_newline(text) + replacement + "\n";
}

/// Where [server] stands in a TOML file: its header line and the first line of the next table.
struct Section {
    std::size_t header_end = 0;
    std::size_t end = 0;
    bool is_there = false;
};

Section find_server(std::string_view toml)
{
    Section section;
    for (const Line& line : split_lines(toml)) {
        const std::string_view content = trim(line.text);
        if (!section.is_there && content.starts_with("[server]")) {
            section = {line.end, toml.size(), true};
        } else if (section.is_there && content.starts_with('[')) {
            section.end = line.begin;
            break;
        }
    }
    return section;
}

std::string_view key_of(std::string_view line)
{
    const std::size_t equals = line.find('=');
    return equals == std::string_view::npos ? std::string_view() : trim(line.substr(0, equals));
}

/// Brackets that are still open behind a line of a value; quotes are respected as far as basic and literal strings go.
int bracket_depth(std::string_view line)
{
    int depth = 0;
    char quote = 0;
    for (std::size_t index = 0; index < line.size(); ++index) {
        const char letter = line[index];
        if (quote == '"' && letter == '\\')
            ++index;
        else if (quote != 0)
            quote = letter == quote ? '\0' : quote;
        else if (letter == '"' || letter == '\'')
            quote = letter;
        else if (letter == '#')
            break;
        else
            depth += letter == '[' ? 1 : letter == ']' ? -1 : 0;
    }
    return depth;
}

/// The section's text with one key set or made a comment. A value may go on over several lines.
std::string with_key(std::string_view section, const std::string& key, const std::optional<std::string>& value)
{
    const std::string assignment = value ? fmt::format("{} = {}\n", key, *value) : std::string();
    std::string out, example; // the shipped file shows each key as a comment: the new one stands behind it
    bool is_placed = !value;
    std::size_t after_example = std::string::npos;
    int depth = 0;
    for (const Line& line : split_lines(section)) {
        const std::string_view whole = section.substr(line.begin, line.end - line.begin);
        if (depth == 0 && key_of(line.text) == key) {
            depth = std::max(bracket_depth(line.text), 0);
            if (!is_placed && depth == 0
                && trim(line.text) == trim(std::string_view(assignment).substr(0, assignment.size() - 1)))
                return std::string(section); // as it is to be
            if (!is_placed)
                out += assignment;
            is_placed = true;
            out += "#" + with_newline(whole);
            continue;
        }
        if (depth > 0) {
            depth = std::max(depth + bracket_depth(line.text), 0);
            out += "#" + with_newline(whole);
            continue;
        }
        out += whole;
        if (line.text.starts_with("#" + key + " ="))
            after_example = out.size();
    }
    if (!is_placed)
        out.insert(after_example == std::string::npos ? 0 : after_example, assignment);
    return out;
}

} // namespace

InetdLine as_raw(const InetdLine& line, const std::string& wrapper)
{
    InetdLine raw = line;
    raw.service = line.service == "ftp" || line.service == "21" ? "raw-ftp" : line.service;
    if (is_wrapper(line.program))
        return raw;
    // tcpd finds a bare name in /usr/sbin only, and then the name is argv[0]: that is the ftpd's own.
    const bool is_found_by_name = directory_name(line.program) == "/usr/sbin"
        && (line.arguments.empty() || line.arguments.front() == base_name(line.program));
    const std::string name = is_found_by_name ? std::string(base_name(line.program)) : line.program;
    if (raw.arguments.empty())
        raw.arguments.push_back(name);
    else
        raw.arguments.front() = name;
    raw.program = wrapper;
    return raw;
}

std::string with_line_replaced(std::string_view text, const InetdLine& line, std::string_view replacement)
{
    return std::string(text.substr(0, line.begin)) + std::string(replacement) + std::string(text.substr(line.end));
}

std::string with_xinetd_disabled(std::string_view text, unsigned line, std::string_view first_line)
{
    std::string out;
    bool is_block = false, is_inside = false;
    for (const Line& current : split_lines(text)) {
        const std::string_view whole = text.substr(current.begin, current.end - current.begin);
        const std::string_view content = trim(current.text);
        is_block = is_block || (current.number >= line && content.starts_with(first_line));
        if (is_block && is_inside && lower(key_of(content)) == "disable")
            continue;
        out += whole;
        if (is_block && !is_inside && content.ends_with('{')) {
            is_inside = true;
            out = with_newline(out) + "\tdisable\t\t= yes\n";
        } else if (is_inside && content == "}") {
            return out + std::string(text.substr(current.end));
        }
    }
    return out;
}

bool is_daemon_name(std::string_view name)
{
    return !name.empty() && name.find_first_of(" \t\r\n,:@*?[]\\#/") == std::string_view::npos && !name.starts_with('.')
        && !name.ends_with('.') && name.find_first_not_of("0123456789+") != std::string_view::npos
        && !equals_ignoring_case(name, "ALL") && !equals_ignoring_case(name, "KNOWN") && !equals_ignoring_case(name, "EXCEPT");
}

std::vector<std::string> allow_rules(const std::string& daemon, const std::vector<IpAddress>& addresses)
{
    std::vector<std::string> rules;
    for (const IpAddress& address : addresses) {
        // Without the interface of a link-local address: libwrap does not compare it.
        const std::string text
            = address.is_ipv4() ? address.to_string() : "[" + IpAddress::from_ipv6(address.bytes()).to_string() + "]";
        if (rules.empty() || rules.back().size() + text.size() > kMaxRuleBytes)
            rules.push_back(daemon + " :");
        rules.back() += " " + text;
    }
    return rules;
}

std::string with_table_lines(std::string_view text, const std::vector<std::string>& lines)
{
    std::string rest, block; // what stands behind a beginning is ours once its end has come, and nobody can tell before
    for (const Line& line : split_lines(text)) {
        const std::string_view whole = text.substr(line.begin, line.end - line.begin);
        if (line.text.starts_with(kBeginMark))
            rest += std::exchange(block, std::string());
        if (block.empty() && !line.text.starts_with(kBeginMark))
            rest += whole;
        else
            block += whole;
        if (line.text == kBlockEnd)
            block.clear();
    }
    rest += block;
    if (lines.empty())
        return rest;
    return fmt::format("{}\n{}\n{}\n", kBlockBegin, fmt::join(lines, "\n"), kBlockEnd) + rest;
}

std::string with_vsftpd_setting(std::string_view text, const std::string& key, const std::string& value)
{
    return with_setting(text, key + "=" + value, [&](std::string_view line) { return key_of(line) == key; });
}

std::string with_proftpd_setting(std::string_view text, const std::string& key, const std::string& value)
{
    return with_setting(text, key + " " + value, [&](std::string_view line) {
        const auto words = split_words(line);
        return words.size() > 1 && equals_ignoring_case(words[0].text, key);
    });
}

std::string with_shell_setting(std::string_view text, const std::string& name, const std::string& value)
{
    return with_setting(text, name + "=" + value, [&](std::string_view line) { return key_of(line) == name; });
}

std::string toml_text(std::string_view value) { return json_string(value); } // the same escapes

std::string toml_list(const std::vector<std::string>& values)
{
    std::vector<std::string> texts;
    for (const std::string& value : values)
        texts.push_back(toml_text(value));
    return fmt::format("[{}]", fmt::join(texts, ", "));
}

Result<std::string> with_server_keys(std::string_view toml, const ServerKeys& keys, const std::string& file)
{
    std::string text = with_newline(toml);
    if (toml.find("\"\"\"") != std::string_view::npos || toml.find("'''") != std::string_view::npos)
        return fail(ErrorCode::bad_config, 0, file + " has texts over several lines; change [server] yourself");
    Section section = find_server(text);
    const bool is_wanted = std::ranges::any_of(keys, [](const auto& key) { return key.second.has_value(); });
    if (!section.is_there && !is_wanted)
        return std::string(toml);
    if (!section.is_there) {
        text += text.empty() ? "[server]\n" : "\n[server]\n";
        section = find_server(text);
    }
    std::string body = text.substr(section.header_end, section.end - section.header_end);
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) // so that new ones stand in this order
        body = with_key(body, key->first, key->second);
    std::string out = text.substr(0, section.header_end) + body + text.substr(section.end);
    const config::Loaded loaded = config::parse(out, file);
    for (const config::Problem& problem : loaded.problems) {
        if (problem.severity == config::Problem::Severity::error)
            return fail(ErrorCode::bad_config, 0, "after the change: " + problem.to_string());
    }
    return out == with_newline(toml) ? std::string(toml) : out;
}

} // namespace safetp::setup
