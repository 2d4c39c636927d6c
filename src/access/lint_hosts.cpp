// Host patterns: the right side of a rule, and what follows @ on its left side. hosts_access(5), "PATTERNS" and "WILDCARDS".
#include "access/lint_parts.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::access {

namespace {

constexpr std::size_t kLongestName = 127; ///< what libwrap keeps of a name
constexpr std::size_t kManyStars = 4;     ///< libwrap's time grows with the power of their number

bool has_only(std::string_view text, std::string_view characters)
{
    return text.find_first_not_of(characters) == std::string_view::npos;
}

/// A reserved word or something near it, where people meant one.
void check_word(Linter& linter, const Place& place, std::string_view word, HostSide side)
{
    const bool grants = place.table == TableName::allow && side == HostSide::client;
    if (equal_ignoring_case(word, "PARANOID") && grants)
        linter.warning(
            place, "PARANOID in the allow table lets in whoever has a forged host name: it belongs into the deny table");
    else if (equal_ignoring_case(word, "UNKNOWN") && grants)
        linter.warning(
            place, "UNKNOWN in the allow table lets in whoever has no host name, also while the name service is down");
    else if (equal_ignoring_case(word, "FAIL"))
        linter.error(
            place, "FAIL is no word of the language any more and counts as a host name: write EXCEPT, or the option deny");
    else if (is_word(word, {"ANY", "EVERYBODY", "EVERYONE", "WORLD", "ANYONE", "+"}))
        linter.error(place, fmt::format("{} counts as a host name: write ALL for everybody", shown(word)));
    else if (is_word(word, {"NONE", "NOBODY"}))
        linter.error(place, fmt::format("{} counts as a host name: leave the rule out, or use the option deny", shown(word)));
    else if (is_word(
                 word, {"allow", "deny", "spawn", "twist", "setenv", "banners", "severity", "rfc931", "keepalive", "aclexec"}))
        linter.error(place,
            fmt::format("{} stands in the list of clients and counts as a host name: write a colon before it", shown(word)));
    else if (is_word(word, {"AND", "OR", "NOT", "BUT"}))
        linter.error(place, fmt::format("{} counts as a host name: lists have commas and EXCEPT only", shown(word)));
}

/// Characters that no address and no name has. True: a problem was told.
bool check_characters(Linter& linter, const Place& place, std::string_view pattern)
{
    if (pattern.find_first_of("\"'`") != std::string_view::npos)
        linter.error(
            place, fmt::format("quotes are part of the pattern, so {} never matches: write it without", shown(pattern)));
    else if (pattern.find(';') != std::string_view::npos)
        linter.error(place, fmt::format("a semicolon separates nothing, so {} never matches: write a comma", shown(pattern)));
    else if (pattern.starts_with('!') || (pattern.starts_with('-') && pattern.size() > 1))
        linter.error(place,
            fmt::format("{} never matches: there is no sign for not; write LIST EXCEPT {}", shown(pattern), pattern.substr(1)));
    else if (pattern.find('\\') != std::string_view::npos)
        linter.error(place,
            fmt::format("a backslash is part of the pattern here, so {} never matches: it continues a line only as its "
                        "very last character",
                shown(pattern)));
    else if (pattern.find('(') != std::string_view::npos || pattern.find(')') != std::string_view::npos)
        linter.error(place, fmt::format("parentheses are part of the pattern, so {} never matches", shown(pattern)));
    else if (pattern.find(']') != std::string_view::npos && !pattern.starts_with('['))
        linter.error(place, fmt::format("{} has a bracket that nothing opens, so it never matches", shown(pattern)));
    else if (std::ranges::any_of(pattern, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        linter.error(place,
            fmt::format("{} has bytes that no host name has (an accent, or a blank or hyphen that is not ASCII): write "
                        "the name as the name service has it, xn--...",
                shown(pattern)));
    else
        return false;
    return true;
}

void check_glob(Linter& linter, const Place& place, std::string_view pattern)
{
    const auto stars = static_cast<std::size_t>(std::ranges::count(pattern, '*'));
    if (pattern.find('/') != std::string_view::npos) {
        linter.error(place, fmt::format("a mask and a wildcard exclude each other, so {} never matches", shown(pattern)));
    } else if (pattern.find_first_of("0123456789") != std::string_view::npos && has_only(pattern, "0123456789.*?")) {
        const std::string_view fixed = pattern.substr(0, pattern.find_first_of("*?"));
        const std::size_t end = fixed.rfind('.');
        const std::string example = end == std::string_view::npos ? "10." : std::string(fixed.substr(0, end + 1));
        const std::string text
            = fmt::format("{} also matches host names, as in {}evil.example, and asks the name service about "
                          "each client: write {} or a network with its mask",
                shown(pattern), example, example);
        if (place.table == TableName::deny) // the safe reading goes by names only where that refuses
            linter.error(place, text);
        else
            linter.error_in_strict(place.file, place.line, text);
    } else if (stars >= kManyStars) {
        linter.warning(place,
            fmt::format("{} stars in {}: matching takes libwrap seconds or longer with a name that a client chooses", stars,
                shown(pattern)));
    } else if (pattern.ends_with("**")) {
        linter.warning(place,
            fmt::format("two stars at the end want one character at least: write {}", pattern.substr(0, pattern.size() - 1)));
    }
}

void check_name(Linter& linter, const Place& place, std::string_view name)
{
    if (name.size() > kLongestName)
        return linter.error(place,
            fmt::format(
                "{} has {} characters; libwrap cuts names to {}, so it never matches", shown(name), name.size(), kLongestName));
    if (has_only(name, "0123456789.-") && name.find('-') != std::string_view::npos)
        return linter.error(
            place, fmt::format("there are no ranges, so {} never matches: write networks with masks", shown(name)));
    if (!linter.settings.find_host || name.find('.') == std::string_view::npos)
        return;
    const auto answer = linter.settings.find_host(std::string(name));
    if (!answer)
        return linter.warning(place, fmt::format("the name service cannot be asked about {} now", shown(name)));
    if (!answer->exists)
        linter.warning(place, fmt::format("the name service knows no host {}, so no client has that name", shown(name)));
    else if (!answer->canonical.empty() && !equal_ignoring_case(answer->canonical, name))
        linter.error(place,
            fmt::format("{} is an alias, which no client's address leads back to: write {}", shown(name), answer->canonical));
    else if (!answer->not_leading_back.empty())
        linter.warning(place,
            fmt::format("{} does not match clients from {}: the address does not lead back to this name; mend the reverse "
                        "zone, or write the address",
                shown(name), fmt::join(answer->not_leading_back, ", ")));
}

void check_dots(Linter& linter, const Place& place, std::string_view pattern)
{
    if (has_only(pattern, "."))
        linter.error(place, fmt::format("{} is neither an address nor a name", shown(pattern)));
    else if (pattern.starts_with('.') && pattern.ends_with('.'))
        linter.error(place,
            fmt::format("{} has a dot at both ends and stands for names that end in it: write one of them", shown(pattern)));
    else if (pattern.starts_with('.') && has_only(pattern, ".0123456789"))
        linter.error(place,
            fmt::format("{} matches addresses that end so, as 10{}: if the network {}. is meant, write that", shown(pattern),
                pattern, pattern.substr(1)));
    else if (pattern.ends_with('.'))
        linter.error(place,
            fmt::format("{} matches every name that begins so, as {}evil.example: write .{} for the names below it, {} "
                        "for the one",
                shown(pattern), pattern, pattern.substr(0, pattern.size() - 1), pattern.substr(0, pattern.size() - 1)));
}

void tell(Linter& linter, const Place& place, const AddressPattern& pattern)
{
    const bool is_safe = linter.settings.reading == Reading::safe;
    if (!pattern.error.empty())
        linter.error(place, pattern.error);
    else if (!pattern.warning.empty() && pattern.fails_in_safe && is_safe)
        linter.error(place, pattern.warning + " (the safe reading does not guess: it matches only where that refuses)");
    else if (!pattern.warning.empty())
        linter.warning(place, pattern.warning);
}

void check_bare_ipv6(Linter& linter, const Place& place, std::string_view pattern)
{
    const std::size_t slash = pattern.find('/');
    const std::string_view rest = slash == std::string_view::npos ? "" : pattern.substr(slash);
    linter.error(place, fmt::format("an IPv6 address needs brackets: write [{}]{}", pattern.substr(0, slash), rest));
}

void check_netgroup(Linter& linter, const Place& place, std::string_view name)
{
    const auto& has_netgroup = linter.settings.has_netgroup;
    if (name.empty())
        linter.error(place, "@ without the name of a netgroup never matches");
    else if (has_netgroup && !has_netgroup(std::string(name)))
        linter.warning(place,
            fmt::format("there is no netgroup {}, or it is empty, so nobody is matched by it: see netgroup in nsswitch.conf(5)",
                shown(name)));
}

} // namespace

void check_host(Linter& linter, const Place& place, std::string_view pattern, HostSide side)
{
    if (pattern.starts_with('@'))
        return check_netgroup(linter, place, pattern.substr(1));
    if (pattern.starts_with('/'))
        return check_pattern_file(linter, place, std::string(pattern));
    if (pattern.find("://") != std::string_view::npos)
        return linter.error(place, fmt::format("{} is a URL: write the host alone", shown(pattern)));
    if (check_characters(linter, place, pattern))
        return;
    if (pattern.starts_with('['))
        return tell(linter, place, read_bracketed(pattern));
    if (pattern.find(':') != std::string_view::npos)
        return check_bare_ipv6(linter, place, pattern);
    if (has_wildcards(pattern))
        return check_glob(linter, place, pattern);
    if (pattern.find('/') != std::string_view::npos)
        return tell(linter, place, read_net_and_mask(pattern));
    if (has_only(pattern, "0123456789.") && pattern.front() != '.')
        return tell(linter, place, read_digits_and_dots(pattern));
    if (pattern.starts_with('.') || pattern.ends_with('.'))
        return check_dots(linter, place, pattern);
    check_word(linter, place, pattern, side);
    if (!is_word(pattern, {"ALL", "KNOWN", "UNKNOWN", "PARANOID", "LOCAL", "FAIL"}))
        check_name(linter, place, pattern);
}

} // namespace safetp::access
