#include "access/options.h"

#include "access/text.h"

#include <array>
#include <cstdlib>
#include <fmt/core.h>
#include <span>
#include <utility>

namespace safetp::access {

namespace {

enum class Value { none, needed, optional };

struct KeywordEntry {
    std::string_view name;
    Keyword keyword;
    Value value;
    bool expands = false;
    bool must_be_last = false;
};

constexpr std::array kKeywords{
    KeywordEntry{"aclexec", Keyword::aclexec, Value::needed, true},
    KeywordEntry{"allow", Keyword::allow, Value::none, false, true},
    KeywordEntry{"banners", Keyword::banners, Value::needed},
    KeywordEntry{"deny", Keyword::deny, Value::none, false, true},
    KeywordEntry{"group", Keyword::group, Value::needed},
    KeywordEntry{"keepalive", Keyword::keepalive, Value::none},
    KeywordEntry{"linger", Keyword::linger, Value::needed},
    KeywordEntry{"nice", Keyword::nice, Value::optional},
    KeywordEntry{"rfc931", Keyword::rfc931, Value::optional},
    KeywordEntry{"setenv", Keyword::setenv, Value::needed, true},
    KeywordEntry{"severity", Keyword::severity, Value::needed},
    KeywordEntry{"spawn", Keyword::spawn, Value::needed, true},
    KeywordEntry{"twist", Keyword::twist, Value::needed, true, true},
    KeywordEntry{"umask", Keyword::umask, Value::needed},
    KeywordEntry{"user", Keyword::user, Value::needed},
};

constexpr std::array<std::string_view, 17> kFacilities{"kern", "user", "mail", "daemon", "auth", "lpr", "news", "uucp", "cron",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
constexpr std::array<std::string_view, 8> kLevels{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view without_leading_blanks(std::string_view text)
{
    return text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
}

std::string_view keyword_of(std::string_view field)
{
    field = trimmed(field);
    return field.substr(0, field.find_first_of("= \t\r\n"));
}

const KeywordEntry* find_keyword(std::string_view name)
{
    const auto is_it = [&](const auto& entry) { return equal_ignoring_case(entry.name, name); };
    const auto* found = std::ranges::find_if(kKeywords, is_it);
    return found == kKeywords.end() ? nullptr : found;
}

std::string_view find_name(std::span<const std::string_view> names, std::string_view name)
{
    const auto found = std::ranges::find_if(names, [&](auto entry) { return equal_ignoring_case(entry, name); });
    return found == names.end() ? std::string_view() : *found;
}

} // namespace

std::vector<std::string> split_options(std::string_view options)
{
    std::vector<std::string> fields;
    std::string field;
    for (std::size_t i = 0; i < options.size(); ++i) {
        if (options[i] == '\\' && options.substr(i + 1).starts_with(':')) {
            field += options[++i];
        } else if (options[i] == ':') {
            fields.push_back(std::exchange(field, {}));
        } else {
            field += options[i];
        }
    }
    fields.push_back(std::move(field));
    return fields;
}

std::expected<Option, std::string> parse_option(std::string_view field, bool last)
{
    const std::string_view text = trimmed(field);
    const std::string_view name = keyword_of(text);
    std::string_view value = without_leading_blanks(text.substr(name.size()));
    if (value.starts_with('='))
        value = without_leading_blanks(value.substr(1));
    if (name.empty())
        return std::unexpected("missing option name");
    const KeywordEntry* entry = find_keyword(name);
    if (entry == nullptr)
        return std::unexpected(fmt::format("bad option name: \"{}\"", name));
    if (value.empty() && entry->value == Value::needed)
        return std::unexpected(fmt::format("option \"{}\" requires value", name));
    if (!value.empty() && entry->value == Value::none)
        return std::unexpected(fmt::format("option \"{}\" requires no value", name));
    if (!last && entry->must_be_last)
        return std::unexpected(fmt::format("option \"{}\" must be at end", name));
    Option option{entry->keyword, std::string(name), std::nullopt};
    if (!value.empty())
        option.value = value;
    return option;
}

bool expands(Keyword keyword) { return std::ranges::find(kKeywords, keyword, &KeywordEntry::keyword)->expands; }

std::optional<int> scan_number(const std::string& text)
{
    char* end = nullptr;
    const long value = std::strtol(text.c_str(), &end, 10);
    return end == text.c_str() || *end != '\0' ? std::nullopt : std::optional(static_cast<int>(value));
}

std::optional<unsigned> scan_octal(const std::string& text)
{
    char* end = nullptr;
    const unsigned long value = std::strtoul(text.c_str(), &end, 8);
    return end == text.c_str() || *end != '\0' ? std::nullopt : std::optional(static_cast<unsigned>(value));
}

std::expected<std::string, std::string> parse_severity(std::string_view value)
{
    const std::size_t dot = find_outside_brackets(value, '.');
    const std::string_view level_name = dot == std::string_view::npos ? value : value.substr(dot + 1);
    std::string_view facility;
    if (dot != std::string_view::npos) {
        facility = find_name(kFacilities, value.substr(0, dot));
        if (facility.empty())
            return std::unexpected(std::string(value.substr(0, dot)));
    }
    const std::string_view level = find_name(kLevels, level_name);
    if (level.empty())
        return std::unexpected(std::string(level_name));
    // syslog(3)'s number of kern is 0, and 0 means the program's own facility.
    return facility.empty() || facility == "kern" ? std::string(level) : fmt::format("{}.{}", facility, level);
}

Variable parse_setenv(std::string_view value)
{
    const std::size_t end = std::min(value.find_first_of(kBlanks), value.size());
    return {std::string(trimmed(value.substr(0, end))), std::string(trimmed(value.substr(std::min(end + 1, value.size()))))};
}

std::optional<std::string> value_error(Keyword keyword, const std::string& value)
{
    if (keyword == Keyword::setenv) {
        const std::string name = parse_setenv(value).name;
        if (name.empty() || name.find('=') != std::string::npos) // setenv(3) refuses it, and libwrap knows one reason only
            return "memory allocation failure";
    } else if (keyword == Keyword::severity) {
        if (const auto severity = parse_severity(value); !severity)
            return fmt::format("bad syslog facility or severity: \"{}\"", severity.error());
    } else if (keyword == Keyword::umask) {
        if (const auto mask = scan_octal(value); !mask || *mask > 0777)
            return fmt::format("bad umask value: \"{}\"", value);
    } else if (keyword == Keyword::linger) {
        if (const auto seconds = scan_number(value); !seconds || *seconds < 0)
            return fmt::format("bad linger value: \"{}\"", value);
    } else if (keyword == Keyword::nice) {
        if (!value.empty() && !scan_number(value))
            return fmt::format("bad nice value: \"{}\"", value);
    } else if (keyword == Keyword::rfc931 && !value.empty()) {
        if (const auto seconds = scan_number(value); !seconds || *seconds <= 0)
            return fmt::format("bad rfc931 timeout: \"{}\"", value);
    }
    return std::nullopt;
}

bool refuses(const Rule& rule, TableName table)
{
    if (!rule.has_options)
        return table == TableName::deny;
    const std::vector<std::string> fields = split_options(rule.options);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const bool last = i + 1 == fields.size();
        const auto option = parse_option(fields[i], last);
        if (!option || value_error(option->keyword, option->value.value_or("")))
            return true;
        if (last && option->keyword == Keyword::allow)
            return false;
        if (last && (option->keyword == Keyword::deny || option->keyword == Keyword::twist))
            return true;
    }
    return table == TableName::deny;
}

} // namespace safetp::access
