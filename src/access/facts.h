// What a request knows of itself, and what it would have to ask for.
#pragma once

#include "access/evaluation.h"

#include <string>
#include <string_view>

namespace safetp::access {

/// The name or user, "unknown" where there is nobody to ask; null: it has to be looked up first. The pointer lives as long as
/// the request does not change.
const std::string* known_fact(Request& request, Fact fact);

void set_fact(Request& request, Fact fact, std::string value);

/// Neither unknown nor paranoid.
bool is_good_name(std::string_view name);

/// The place of `[user@]host` without any lookup: the name where it is known and good, else the address. For %h, %c and their
/// like.
std::string& known_host(Request& request, bool server);

/// strerror(3)'s text.
std::string system_text(int error);

} // namespace safetp::access
