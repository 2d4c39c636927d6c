#include "access/expansion.h"

#include "access/facts.h"
#include "access/text.h"

#include <fmt/core.h>

namespace safetp::access {

namespace {

bool is_harmless(char c)
{
    const char lower = to_lower(c);
    return is_digit(c) || (lower >= 'a' && lower <= 'z') || std::string_view("!@%-_=+:,./").find(c) != std::string_view::npos;
}

/// libwrap's eval_port() says 0 for an endpoint that is not known.
std::string port_text(const std::optional<std::uint16_t>& port) { return std::to_string(port.value_or(0)); }

} // namespace

Expander::State Expander::run(Request& request)
{
    while (position_ < text_.size()) {
        const std::size_t before = result_.size();
        if (text_[position_] == '%' && position_ + 1 < text_.size()) {
            if (!insert(text_[position_ + 1], request))
                return State::pending;
            position_ += 2;
        } else {
            result_ += text_[position_++];
        }
        if (result_.size() + 1 >= room_) {
            const std::size_t shown = std::min<std::size_t>(before, 30);
            complaints_.push_back(fmt::format("percent_x: expansion too long: {}...", result_.substr(0, shown)));
            return State::overflow;
        }
    }
    return State::done;
}

bool Expander::insert(char letter, Request& request)
{
    std::string made;
    switch (letter) {
    case 'a': insert_cleaned(request.client_address); return true;
    case 'A': insert_cleaned(request.server_address); return true;
    case 'c':
        if (!request.client_user || equal_ignoring_case(*request.client_user, kUnknown)) {
            insert_cleaned(known_host(request, false));
            return true;
        }
        made = client_text(request);
        break;
    case 'd': insert_cleaned(request.daemon); return true;
    case 'h': insert_cleaned(known_host(request, false)); return true;
    case 'H': insert_cleaned(known_host(request, true)); return true;
    case 'n': return insert_fact(request, Fact::client_name);
    case 'N': return insert_fact(request, Fact::server_name);
    case 'p': made = std::to_string(request.process_id); break;
    case 'r': made = port_text(request.client_port); break;
    case 'R': made = port_text(request.server_port); break;
    case 's':
        if (const std::string& host = known_host(request, true); equal_ignoring_case(host, kUnknown)) {
            insert_cleaned(request.daemon);
            return true;
        } else {
            made = request.daemon + "@" + host;
        }
        break;
    case 'u': return insert_fact(request, Fact::client_user);
    case '%': made = "%"; break;
    default: complaints_.push_back(fmt::format("unrecognized %{}", letter)); break;
    }
    insert_cleaned(made);
    return true;
}

bool Expander::insert_fact(Request& request, Fact fact)
{
    const std::string* known = known_fact(request, fact);
    if (known == nullptr) {
        missing_ = fact;
        return false;
    }
    std::string value = *known;
    insert_cleaned(value);
    if (in_place_)
        set_fact(request, fact, value);
    return true;
}

void Expander::insert_cleaned(std::string& value)
{
    std::string cleaned = value;
    std::ranges::replace_if(
        cleaned, [](char c) { return !is_harmless(c); }, '_');
    result_ += cleaned;
    if (in_place_)
        value = cleaned;
}

std::string client_text(const Request& request)
{
    Request copy = request;
    const std::string& host = known_host(copy, false);
    if (!request.client_user || equal_ignoring_case(*request.client_user, kUnknown))
        return host;
    return *request.client_user + "@" + host;
}

Expansion expand(std::string_view text, const Request& request)
{
    Request copy = request;
    Expander expander{std::string(text), kExpansionRoom, false};
    Expansion expansion;
    const auto state = expander.run(copy);
    if (state == Expander::State::pending)
        expansion.missing = expander.missing();
    expansion.text = expander.result();
    for (const std::string& complaint : expander.take_complaints())
        expansion.reports.push_back({"err", "warning: " + complaint});
    return expansion;
}

} // namespace safetp::access
