// The third field of a rule. hosts_options(5).
#pragma once

#include "access/rules.h"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::access {

/// The fields between colons; `\:` is a colon in a field.
std::vector<std::string> split_options(std::string_view options);

enum class Keyword {
    aclexec, allow, banners, deny, group, keepalive, linger, nice, rfc931, setenv, severity, spawn, twist, umask, user
};

struct Option {
    Keyword keyword = Keyword::allow;
    std::string name;                  ///< as written
    std::optional<std::string> value;  ///< not expanded yet
};

/// An option, or what is wrong with it in libwrap's words. `last`: no field follows it.
std::expected<Option, std::string> parse_option(std::string_view field, bool last);

/// Whether % sequences are expanded in its value.
bool expands(Keyword keyword);

/// sscanf(3) with %d or %o and nothing behind: what is a number for linger, nice, rfc931 and umask.
std::optional<int> scan_number(const std::string& text);
std::optional<unsigned> scan_octal(const std::string& text);

/// `facility.level` or `level` in lower case, or the word that is neither.
std::expected<std::string, std::string> parse_severity(std::string_view value);

struct Variable {
    std::string name, value;
};
/// setenv's value: a name, blanks, and the rest.
Variable parse_setenv(std::string_view value);

/// What is wrong with an option's value, expanded where it is, in libwrap's words. Names of users are not looked at.
std::optional<std::string> value_error(Keyword keyword, const std::string& value);

/// Whether a match of the rule refuses: an option is in error or the last one says so, or else the table that it stands in.
bool refuses(const Rule& rule, TableName table);

} // namespace safetp::access
