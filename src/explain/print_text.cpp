// The explanation for people: the rules in the order in which they were looked at, what was looked up for them, the verdict.
#include "explain/explain.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::explain {

namespace {

using access::Trace;

constexpr std::size_t kRuleColumns = 58;
constexpr std::size_t kShownMisses = 8; ///< rules without a match that are shown one by one

/// Blanks in a row become one; cut to what fits.
std::string compact(std::string_view rule)
{
    std::string text;
    for (const char character : printable(rule)) {
        if (character != ' ' || (!text.empty() && text.back() != ' '))
            text += character;
    }
    for (std::size_t at = 0; (at = text.find("\\n", at)) != std::string::npos;)
        text.erase(at, 2);
    while (text.ends_with(' '))
        text.pop_back();
    return text.size() > kRuleColumns ? text.substr(0, kRuleColumns - 3) + "..." : text;
}

/// Writes one answer.
class TextPrinter {
public:
    TextPrinter(const Case& asked, const Answer& answer, bool has_colours)
        : asked_(asked)
        , answer_(answer)
        , has_colours_(has_colours)
    {
    }

    std::string print();

private:
    void print_head();
    void print_rules();
    void enter_table(access::TableName table);
    void end_rule(const Trace& rule);
    void flush_misses();
    void print_events(std::size_t until);
    void print_verdict();
    std::string describe(const Event& event) const;
    std::string path_of(access::TableName table) const
    {
        return table == access::TableName::allow ? asked_.paths.allow : asked_.paths.deny;
    }
    std::string matching_pattern() const;
    std::string strong(std::string_view text, bool is_good) const
    {
        return has_colours_ ? fmt::format("\x1b[1;{}m{}\x1b[0m", is_good ? 32 : 31, text) : std::string(text);
    }

    const Case& asked_;
    const Answer& answer_;
    bool has_colours_;
    std::string text_;
    std::size_t next_event_ = 0;
    std::optional<access::TableName> table_;
    std::vector<const Trace*> patterns_; ///< of the rule at hand
    unsigned other_daemons_ = 0;         ///< rules in a row that are for others
    unsigned misses_ = 0;                ///< in this table
    unsigned hidden_misses_ = 0;
};

std::string TextPrinter::print()
{
    print_head();
    if (asked_.is_enabled)
        print_rules();
    print_verdict();
    return std::move(text_);
}

void TextPrinter::print_head()
{
    const access::Request& request = answer_.request;
    const std::string user
        = request.client_user && *request.client_user != access::kUnknown ? printable(*request.client_user) + "@" : "";
    std::string server = request.server_address == access::kUnknown ? "" : " at " + request.server_address;
    if (request.server_port && *request.server_port != 0)
        server += fmt::format(" port {}", *request.server_port);
    text_ += fmt::format("{}{} asks for {}{}\n", user, printable(request.client_address), printable(request.daemon), server);
}

void TextPrinter::print_rules()
{
    for (std::size_t at = 0; at < answer_.trace.size(); ++at) {
        const Trace& entry = answer_.trace[at];
        switch (entry.kind) {
        case Trace::Kind::daemon_pattern:
        case Trace::Kind::client_pattern:
        case Trace::Kind::user_pattern:
        case Trace::Kind::except: patterns_.push_back(&entry); break;
        case Trace::Kind::rule:
            enter_table(entry.position.table);
            end_rule(entry);
            break;
        case Trace::Kind::option:
            print_events(at);
            text_ += fmt::format("            : {}\n", printable(entry.text));
            break;
        case Trace::Kind::table_end:
            enter_table(entry.position.table);
            flush_misses();
            text_ += "          (end of the table)\n";
            break;
        case Trace::Kind::lookup:
        case Trace::Kind::netgroup: break; // events say more
        }
        if (entry.kind == Trace::Kind::rule || entry.kind == Trace::Kind::option)
            print_events(at + 1);
    }
    flush_misses();
    print_events(answer_.trace.size());
}

void TextPrinter::enter_table(access::TableName table)
{
    if (table_ == table)
        return;
    flush_misses();
    misses_ = 0;
    table_ = table;
    text_ += fmt::format("  {}\n", path_of(table));
}

std::string TextPrinter::matching_pattern() const
{
    std::string pattern;
    for (const Trace* entry : patterns_) {
        if (entry->kind == Trace::Kind::client_pattern && entry->matched)
            pattern = entry->text;
    }
    return printable(pattern);
}

void TextPrinter::end_rule(const Trace& rule)
{
    const bool is_for_daemon
        = std::ranges::any_of(patterns_, [](const Trace* entry) { return entry->kind == Trace::Kind::client_pattern; });
    const bool has_events = next_event_ < answer_.events.size()
        && answer_.events[next_event_].after <= static_cast<std::size_t>(&rule - answer_.trace.data());
    const std::string pattern = matching_pattern();
    patterns_.clear();
    if (!is_for_daemon && !rule.matched && !has_events) {
        ++other_daemons_;
        return;
    }
    if (!rule.matched && !has_events && ++misses_ > kShownMisses) {
        ++hidden_misses_;
        return;
    }
    flush_misses();
    const std::string mark = !rule.matched ? "no" : strong(pattern.empty() ? "matches" : "matches by " + pattern, true);
    text_ += fmt::format("    {:>5} {:<{}}  {}\n", rule.position.line, compact(rule.text), kRuleColumns, mark);
}

void TextPrinter::flush_misses()
{
    if (other_daemons_ > 0)
        text_ += fmt::format(
            "          ({} for other daemons)\n", other_daemons_ == 1 ? "1 rule" : fmt::format("{} rules", other_daemons_));
    if (hidden_misses_ > 0)
        text_ += fmt::format("          ({} more that {} not match)\n", hidden_misses_, hidden_misses_ == 1 ? "does" : "do");
    other_daemons_ = hidden_misses_ = 0;
}

void TextPrinter::print_events(std::size_t until)
{
    for (; next_event_ < answer_.events.size() && answer_.events[next_event_].after <= until; ++next_event_)
        text_ += fmt::format("              {}\n", describe(answer_.events[next_event_]));
}

std::string TextPrinter::describe(const Event& event) const
{
    const std::string text = printable(event.text);
    const std::string result = printable(event.result);
    switch (event.kind) {
    case Event::Kind::client_name: return fmt::format("name of {}: {}", text, result);
    case Event::Kind::server_name: return fmt::format("own name of {}: {}", text, result);
    case Event::Kind::client_user: return fmt::format("user by ident: {}", result);
    case Event::Kind::netgroup: return fmt::format("{}: {}", text, result);
    case Event::Kind::command:
    case Event::Kind::effect: break;
    }
    return result.empty() ? text : fmt::format("{} ({})", text, result);
}

void TextPrinter::print_verdict()
{
    using access::Outcome;
    const access::Verdict& verdict = answer_.verdict;
    const std::string place
        = verdict.matched ? fmt::format("{}:{}", path_of(verdict.matched->table), verdict.matched->line) : "";
    std::string line;
    if (!asked_.is_enabled)
        line = strong("granted", true) + ": safetpd does not ask the tables (\"enabled\" in [access] is false)";
    else if (!answer_.refusal.empty())
        line = strong("denied", false) + (place.empty() ? "" : " at " + place) + ": " + answer_.refusal;
    else if (verdict.outcome == Outcome::granted)
        line = strong("granted", true) + (place.empty() ? ": no rule matches" : " by " + place);
    else if (verdict.outcome == Outcome::denied)
        line = strong("denied", false) + (place.empty() ? ": a table cannot be used" : " by " + place);
    else if (verdict.outcome == Outcome::twisted)
        line = strong("denied", false) + " by " + place + ": a command takes the connection";
    else
        line = strong("denied", false) + " by a mistake in " + place;
    text_ += fmt::format("  {}\n", line);
    if (!verdict.severity.empty())
        text_ += fmt::format("  logged as {}\n", printable(verdict.severity));
    for (const access::Report& report : answer_.reports)
        text_ += fmt::format("  logs {}: {}\n", report.level, printable(report.text));
    text_ += fmt::format("  the client gets {}\n", seen_by_client(asked_, answer_));
}

} // namespace

std::string as_text(const Case& asked, const std::vector<Answer>& answers, bool has_colours)
{
    std::string text;
    for (const Answer& answer : answers)
        text += (text.empty() ? "" : "\n") + TextPrinter(asked, answer, has_colours).print();
    for (const std::string& note : asked.notes)
        text += fmt::format("note: {}\n", printable(note));
    return text;
}

} // namespace safetp::explain
