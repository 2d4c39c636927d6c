#include "access/facts.h"

#include "access/text.h"

#include <system_error>

namespace safetp::access {

namespace {

std::optional<std::string>& place_of(Request& request, Fact fact)
{
    if (fact == Fact::client_name)
        return request.client_name;
    return fact == Fact::server_name ? request.server_name : request.client_user;
}

} // namespace

const std::string* known_fact(Request& request, Fact fact)
{
    auto& known = place_of(request, fact);
    // libwrap asks about endpoints that it has; RFC 1413 about a pair of ports.
    const bool needs_client = fact != Fact::server_name, needs_server = fact != Fact::client_name;
    const bool can_ask
        = request.has_endpoints && (!needs_client || request.client_port) && (!needs_server || request.server_port);
    if (!known && !can_ask)
        known = kUnknown;
    return known ? &*known : nullptr;
}

void set_fact(Request& request, Fact fact, std::string value)
{
    place_of(request, fact) = value.empty() ? kUnknown : std::move(value);
}

bool is_good_name(std::string_view name)
{
    return !equal_ignoring_case(name, kUnknown) && !equal_ignoring_case(name, kParanoid);
}

std::string& known_host(Request& request, bool server)
{
    auto& name = server ? request.server_name : request.client_name;
    if (name && is_good_name(*name))
        return *name;
    return server ? request.server_address : request.client_address;
}

std::string system_text(int error) { return std::generic_category().message(error); }

} // namespace safetp::access
