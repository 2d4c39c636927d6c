#include "setup/report.h"

#include "ftp/policy.h"
#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::setup {

namespace {

std::string_view name_of(Weight weight)
{
    switch (weight) {
    case Weight::way: return "way";
    case Weight::trouble: return "trouble";
    case Weight::note: break;
    }
    return "note";
}

std::string_view name_of(Attempt::Result result)
{
    switch (result) {
    case Attempt::Result::greeted: return "greeted";
    case Attempt::Result::closed: return "closed";
    case Attempt::Result::refused: return "refused";
    case Attempt::Result::silent: return "silent";
    case Attempt::Result::failed: break;
    }
    return "failed";
}

std::string_view title_of(Weight weight)
{
    switch (weight) {
    case Weight::way: return "WAY ROUND";
    case Weight::trouble: return "TROUBLE";
    case Weight::note: break;
    }
    return "note";
}

std::string finding_text(const Finding& finding)
{
    std::string out
        = fmt::format("{}  {}\n    {}\n", title_of(finding.weight), printable(finding.where), printable(finding.what));
    std::size_t width = 2, stranger_width = 10;
    for (const Row& row : finding.rows) {
        width = std::max(width, row.address.size());
        stranger_width = std::max(stranger_width, row.stranger.size());
    }
    if (!finding.rows.empty())
        out += fmt::format("    {:<{}}  {:<{}}  this machine, and so the gateway\n", "on", width, "a stranger", stranger_width);
    for (const Row& row : finding.rows)
        out += fmt::format("    {:<{}}  {:<{}}  {}\n", row.address, width, row.stranger, stranger_width, row.itself);
    for (const Mend& mend : finding.mends) {
        out += fmt::format("  mend: {}:\n", mend.where);
        for (const std::string& line : mend.lines)
            out += fmt::format("      {}\n", printable(line));
    }
    return out + "\n";
}

std::string attempt_text(const Attempt& attempt)
{
    const std::string where = attempt.endpoint.to_string();
    switch (attempt.result) {
    case Attempt::Result::greeted: return fmt::format("  {} greets: {}\n", where, attempt.text);
    case Attempt::Result::closed:
        return fmt::format("  {} closes the connection{}\n", where, attempt.text.empty() ? "" : ", after: " + attempt.text);
    case Attempt::Result::refused: return fmt::format("  {} refuses connections\n", where);
    case Attempt::Result::silent: return fmt::format("  {} takes the connection and says nothing\n", where);
    case Attempt::Result::failed: break;
    }
    return fmt::format("  {} cannot be reached{}\n", where, attempt.text.empty() ? "" : ": " + attempt.text);
}

std::string visit_text(const DoorVisit& visit)
{
    std::string text = fmt::format("  the front door, {}, {}", visit.endpoint.to_string(),
        visit.outcome == DoorVisit::Outcome::open ? "is open" : "does not let us in");
    if (!visit.tls.empty())
        text += fmt::format(": {}, certificate {}", visit.tls, visit.certificate);
    return fmt::format("{}; {}\n", text, visit.words);
}

std::string server_line_text(const Situation& situation)
{
    if (situation.server_line)
        return fmt::format(
            "  the raw ftpd reads {} bytes as one line; longer ones of clients are refused\n", *situation.server_line);
    if (situation.server_line_unknown.empty())
        return {};
    const std::size_t bytes = situation.line_bytes != 0 ? situation.line_bytes : ftp::Policy().server_line_bytes;
    return fmt::format("  how long a line the raw ftpd reads as one could not be measured ({}); lines of {} bytes go to it\n",
        printable(situation.server_line_unknown), bytes);
}

std::string list_json(const std::vector<std::string>& texts)
{
    std::vector<std::string> quoted;
    for (const std::string& text : texts)
        quoted.push_back(json_string(text));
    return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string finding_json(const Finding& finding)
{
    std::vector<std::string> rows, mends;
    for (const Row& row : finding.rows)
        rows.push_back(fmt::format("{{\"address\": {}, \"stranger\": {}, \"itself\": {}, \"way\": {}}}",
            json_string(row.address), json_string(row.stranger), json_string(row.itself), row.is_way));
    for (const Mend& mend : finding.mends)
        mends.push_back(fmt::format("{{\"where\": {}, \"lines\": {}}}", json_string(mend.where), list_json(mend.lines)));
    return fmt::format("{{\"kind\": \"{}\", \"where\": {}, \"what\": {}, \"addresses\": [{}], \"mend\": [{}]}}",
        name_of(finding.weight), json_string(finding.where), json_string(finding.what), fmt::join(rows, ", "),
        fmt::join(mends, ", "));
}

std::string visit_json(const DoorVisit& visit)
{
    return fmt::format("{{\"endpoint\": {}, \"open\": {}, \"tls\": {}, \"certificate\": {}, \"words\": {}}}",
        json_string(visit.endpoint.to_string()), visit.outcome == DoorVisit::Outcome::open, json_string(visit.tls),
        json_string(visit.certificate), json_string(visit.words));
}

std::size_t count(const std::vector<Finding>& findings, Weight weight)
{
    return static_cast<std::size_t>(std::ranges::count(findings, weight, &Finding::weight));
}

} // namespace

std::string report_text(const Situation& situation, const std::vector<Finding>& findings)
{
    std::string out = "Is there any way round the front door?\n\n";
    for (const Finding& finding : findings)
        out += finding_text(finding);
    std::string tried;
    for (const Attempt& attempt : situation.attempts)
        tried += attempt_text(attempt);
    for (const DoorVisit& visit : situation.visits)
        tried += visit_text(visit);
    tried += server_line_text(situation);
    if (!tried.empty())
        out += "Tried from this machine:\n" + tried + "\n";
    const std::size_t ways = count(findings, Weight::way);
    if (ways == 0 && count(findings, Weight::trouble) > 0)
        return out + "Answer: none was found, but the front door does not work as it should: see TROUBLE above.\n";
    if (ways == 0)
        return out + "Answer: none was found.\n";
    if (!situation.is_started)
        out += "Best of all, leave the raw ftpd no port: let safetpd start it for each session. `safetpd setup` shows how.\n";
    return out + fmt::format("Answer: yes, {}.\n", ways == 1 ? "one" : fmt::format("{} of them", ways));
}

std::string report_json(const Situation& situation, const std::vector<Finding>& findings)
{
    std::vector<std::string> addresses, parts, attempts, visits;
    for (const IpAddress& address : situation.addresses)
        addresses.push_back(address.to_string());
    for (const Finding& finding : findings)
        parts.push_back("\n    " + finding_json(finding));
    for (const Attempt& attempt : situation.attempts)
        attempts.push_back(fmt::format("\n    {{\"endpoint\": {}, \"result\": \"{}\", \"text\": {}}}",
            json_string(attempt.endpoint.to_string()), name_of(attempt.result), json_string(attempt.text)));
    for (const DoorVisit& visit : situation.visits)
        visits.push_back("\n    " + visit_json(visit));
    return fmt::format(
        "{{\n  \"ways\": {},\n  \"troubles\": {},\n  \"started_per_session\": {},\n  \"server_line_bytes\": {},\n  "
        "\"addresses\": {},\n  \"findings\": [{}\n  ],\n  \"attempts\": [{}\n  ],\n  \"doors\": [{}\n  ]\n}}\n",
        count(findings, Weight::way), count(findings, Weight::trouble), situation.is_started,
        situation.server_line ? fmt::format("{}", *situation.server_line) : "null", list_json(addresses), fmt::join(parts, ","),
        fmt::join(attempts, ","), fmt::join(visits, ","));
}

} // namespace safetp::setup
