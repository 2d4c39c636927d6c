// The explanation for programs. Its fields are in safetpd(8); none is taken away without a new version of the program.
#include "explain/explain.h"

#include "base/utf8.h"

#include <fmt/format.h>

namespace safetp::explain {

namespace {

/// RFC 8259. What is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text)
{
    std::string result = "\"";
    while (!text.empty()) {
        const CodePoint point = next_code_point(text);
        if (!point.is_valid)
            result += "\xef\xbf\xbd";
        else if (point.value < 0x20 || point.value == 0x7f)
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
        else if (point.value == '"' || point.value == '\\')
            (result += '\\') += text.front();
        else
            result += text.substr(0, point.bytes);
        text.remove_prefix(point.bytes);
    }
    return result + '"';
}

std::string string_or_null(const std::optional<std::string>& text) { return text ? json_string(*text) : "null"; }

template <typename List, typename Print>
std::string array(const List& list, Print print)
{
    std::string text;
    for (const auto& element : list)
        text += (text.empty() ? "" : ",") + print(element);
    return "[" + text + "]";
}

const char* outcome_name(access::Outcome outcome)
{
    switch (outcome) {
    case access::Outcome::granted: return "granted";
    case access::Outcome::denied: return "denied";
    case access::Outcome::error: return "error";
    case access::Outcome::twisted: return "twisted";
    case access::Outcome::exited: break;
    }
    return "exited";
}

const char* kind_name(access::Trace::Kind kind)
{
    constexpr const char* kNames[]
        = {"rule", "daemon_pattern", "client_pattern", "user_pattern", "except", "lookup", "netgroup", "option", "table_end"};
    return kNames[static_cast<int>(kind)];
}

const char* kind_name(Event::Kind kind)
{
    constexpr const char* kNames[] = {"client_name", "client_user", "server_name", "netgroup", "command", "effect"};
    return kNames[static_cast<int>(kind)];
}

std::string position_of(const Case& asked, const access::Position& position)
{
    const std::string& path = position.table == access::TableName::allow ? asked.paths.allow : asked.paths.deny;
    return fmt::format("\"file\":{},\"line\":{}", json_string(path), position.line);
}

std::string one_answer(const Case& asked, const Answer& answer)
{
    const access::Request& request = answer.request;
    const std::string steps = array(answer.trace, [&](const access::Trace& entry) {
        return fmt::format("{{\"kind\":\"{}\",{},\"text\":{},\"matched\":{},\"detail\":{}}}", kind_name(entry.kind),
            position_of(asked, entry.position), json_string(entry.text), entry.matched, json_string(entry.detail));
    });
    const std::string events = array(answer.events, [](const Event& event) {
        return fmt::format("{{\"kind\":\"{}\",\"text\":{},\"result\":{},\"after_step\":{}}}", kind_name(event.kind),
            json_string(event.text), json_string(event.result), event.after);
    });
    const std::string log = array(answer.reports, [](const access::Report& report) {
        return fmt::format("{{\"level\":{},\"text\":{}}}", json_string(report.level), json_string(report.text));
    });
    const auto& matched = answer.verdict.matched;
    return fmt::format("{{\"client_address\":{},\"client_name\":{},\"client_user\":{},\"server_address\":{},\"server_name\":{},"
                       "\"server_port\":{},\"daemon\":{},\"granted\":{},\"outcome\":\"{}\",\"matched\":{},\"refusal\":{},"
                       "\"severity\":{},\"twist\":{},\"client_gets\":{},\"steps\":{},\"events\":{},\"log\":{}}}",
        json_string(request.client_address), string_or_null(request.client_name), string_or_null(request.client_user),
        json_string(request.server_address), string_or_null(request.server_name),
        request.server_port.value_or(0) == 0 ? "null" : std::to_string(*request.server_port), json_string(request.daemon),
        answer.is_granted, outcome_name(answer.verdict.outcome), matched ? "{" + position_of(asked, *matched) + "}" : "null",
        json_string(answer.refusal), json_string(answer.verdict.severity), json_string(answer.verdict.twist),
        json_string(seen_by_client(asked, answer)), steps, events, log);
}

} // namespace

std::string as_json(const Case& asked, const std::vector<Answer>& answers)
{
    bool all = true;
    for (const Answer& answer : answers)
        all = all && answer.is_granted;
    return fmt::format(
        "{{\"granted\":{},\"reading\":\"{}\",\"hosts_allow\":{},\"hosts_deny\":{},\"is_gateway\":{},\"answers\":{},"
        "\"notes\":{}}}\n",
        all, asked.reading == access::Reading::strict ? "strict" : "safe", json_string(asked.paths.allow),
        json_string(asked.paths.deny), asked.daemon.is_gateway,
        array(answers, [&](const Answer& answer) { return one_answer(asked, answer); }),
        array(asked.notes, [](const std::string& note) { return json_string(note); }));
}

} // namespace safetp::explain
