#include "access/lint_parts.h"
#include "access/options.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace safetp::access {

namespace {

/// A table's text ends up on a terminal: nothing in it may steer that terminal.
std::string without_controls(std::string_view text)
{
    std::string clean;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte == 0x7f)
            clean += fmt::format("\\x{:02x}", byte);
        else
            clean += character;
    }
    return clean;
}

struct Table {
    TableName name;
    const std::string& path;
    const FileText& file;
};

void check_state(Linter& linter, const Table& table)
{
    if (linter.settings.exposed.contains(table.path))
        linter.findings.error(table.path, 0,
            "may be written by others than root, who can then open the door and run commands: chown root, "
            "chmod go-w");
    if (table.file.state == FileText::State::directory)
        linter.findings.error(table.path, 0,
            fmt::format("is a directory: libwrap takes it for an empty table{}; make it a file",
                table.name == TableName::deny ? " and lets everybody in" : ""));
    if (table.file.state == FileText::State::unreadable)
        linter.findings.error(table.path, 0,
            fmt::format("cannot be read: {}; {}", std::strerror(table.file.os_error),
                table.name == TableName::deny ? "everybody is denied whom the allow table does not let in"
                                              : "none of its rules holds"));
}

std::string_view line_at(std::string_view text, std::size_t offset)
{
    const std::string_view rest = text.substr(offset);
    return rest.substr(0, rest.find('\n'));
}

void check_missing_colon(Linter& linter, const Place& place, std::string_view line)
{
    const std::string_view words = trimmed(line);
    if (words.starts_with('#'))
        linter.error(place,
            "blanks before the # make this no comment but a rule without a colon, which is skipped: begin the line with #");
    else if (words.find('[') != std::string_view::npos && words.find(':') != std::string_view::npos)
        linter.error(place, "a bracket that is not closed hides every colon after it, so the rule is skipped: write [ADDRESS]");
    else if (words.find(']') != std::string_view::npos && words.find(':') != std::string_view::npos)
        linter.error(
            place, "a bracket that was not opened hides every colon after it, so the rule is skipped: write [ADDRESS]");
    else
        linter.error(
            place, fmt::format("no colon, so the line is skipped: write DAEMONS : CLIENTS, or # in front of {}", shown(words)));
}

void check_rule(Linter& linter, const Place& place, const Rule& rule)
{
    if (const std::string address = bare_ipv6(rule); !address.empty()) {
        const std::size_t slash = std::min(address.find('/'), address.size());
        return linter.error(place,
            fmt::format("the colons of {} end its list, so it never matches: write [{}]{}", address, address.substr(0, slash),
                address.substr(slash)));
    }
    const auto opened = std::ranges::count(rule.clients, '[');
    const auto closed = std::ranges::count(rule.clients, ']');
    if (opened != closed && rule.clients.find(':', rule.clients.find_first_of("[]")) != std::string::npos)
        return linter.error(place,
            fmt::format("a bracket that is not {} hides every colon after it, options too: write [ADDRESS]",
                opened > closed ? "closed" : "opened"));
    if (rule.had_comment())
        linter.warning(place,
            "libwrap knows comments only at the beginning of a line and takes the words after this # for patterns; the "
            "safe reading does so only where that refuses: write them into a line of their own");
    check_daemons(linter, place, rule.daemons);
    check_clients(linter, place, rule.clients);
    check_options(linter, place, rule);
}

struct Count {
    unsigned rules = 0;
    unsigned denying = 0;
};

void check_table(Linter& linter, const Table& table, OrderCheck& order, Count& count)
{
    check_state(linter, table);
    if (table.file.state != FileText::State::text)
        return;
    check_text(linter, table.name, table.path, table.file.text);
    std::string text = table.file.text;
    if (!text.empty() && text.back() != '\n')
        text += '\n'; // told above; the rule itself is worth a look
    RuleReader reader(text, linter.settings.reading);
    for (RuleReader::Item item = reader.next(); item != RuleReader::Item::end; item = reader.next()) {
        if (item == RuleReader::Item::trouble) {
            const Place place{table.path, reader.trouble().line, table.name};
            if (reader.trouble().kind == RuleTrouble::Kind::missing_colon)
                check_missing_colon(linter, place, line_at(text, reader.item_offset()));
            continue;
        }
        const Place place{table.path, reader.rule().line, table.name};
        check_rule(linter, place, reader.rule());
        order.add(place, reader.rule());
        ++count.rules;
        count.denying += refuses(reader.rule(), table.name) ? 1 : 0;
    }
}

} // namespace

std::string Finding::to_string() const
{
    const char* word = severity == Severity::error ? "error" : "warning";
    return line == 0 ? fmt::format("{}: {}: {}", file, word, text) : fmt::format("{}:{}: {}: {}", file, line, word, text);
}

void Findings::add(Finding::Severity severity, const std::string& file, unsigned line, std::string text)
{
    OfFile& of_file = files_[file];
    if (of_file.findings.size() >= kMaxPerFile) {
        ++of_file.left_out;
        of_file.left_out_errors = of_file.left_out_errors || severity == Finding::Severity::error;
        return;
    }
    of_file.findings.push_back({severity, file, line, without_controls(text)});
}

std::vector<Finding> Findings::take(const std::vector<std::string>& files_in_order)
{
    std::vector<Finding> all;
    const auto take_file = [&](const std::string& file, OfFile& of_file) {
        std::ranges::stable_sort(of_file.findings, {}, &Finding::line);
        std::ranges::move(of_file.findings, std::back_inserter(all));
        if (of_file.left_out > 0)
            all.push_back({of_file.left_out_errors ? Finding::Severity::error : Finding::Severity::warning, file, 0,
                fmt::format("{} more problems are not shown", of_file.left_out)});
    };
    for (const std::string& file : files_in_order) {
        if (const auto found = files_.find(file); found != files_.end()) {
            take_file(file, found->second);
            files_.erase(found);
        }
    }
    for (auto& [file, of_file] : files_)
        take_file(file, of_file);
    files_.clear();
    return all;
}

std::vector<Finding> lint(const TableFiles& files, const LintSettings& settings)
{
    Linter linter{files, settings};
    OrderCheck order(linter);
    Count allow;
    Count deny;
    if (files.allow_path == files.deny_path)
        linter.findings.error(files.allow_path, 0,
            "is both the allow and the deny table, so its rules grant and nothing is denied: name two "
            "files");
    check_table(linter, {TableName::allow, files.allow_path, files.allow}, order, allow);
    check_table(linter, {TableName::deny, files.deny_path, files.deny}, order, deny);
    order.finish();
    const bool is_whole = files.deny.text.empty() || files.deny.text.ends_with('\n'); // else it denies those who get there
    const bool is_open = allow.rules > 0 && allow.denying + deny.denying == 0 && is_whole
        && files.deny.state != FileText::State::unreadable;
    if (is_open)
        linter.findings.warning(files.allow_path, 0,
            fmt::format("no rule denies anybody, so everybody is let in, listed here or not: write "
                        "\"DAEMON : ALL\" into {}",
                files.deny_path));
    return linter.findings.take({files.allow_path, files.deny_path});
}

} // namespace safetp::access
