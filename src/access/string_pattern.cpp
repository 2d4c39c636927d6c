#include "access/string_pattern.h"

#include "access/text.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <net/if.h>
#include <netinet/in.h>

namespace safetp::access {

namespace {

/// strtoul(3) and the cut to 32 bits that sscanf(3) makes for %u; nothing where it finds no number or something follows it.
std::optional<std::uint32_t> scan_unsigned(std::string_view text)
{
    const std::string terminated(text);
    char* end = nullptr;
    const unsigned long value = std::strtoul(terminated.c_str(), &end, 10);
    if (end == terminated.c_str() || *end != '\0')
        return std::nullopt;
    return static_cast<std::uint32_t>(value);
}

bool is_known_scope(const in6_addr& address, const std::string& scope)
{
    const bool link_local = IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_MC_LINKLOCAL(&address);
    errno = 0;
    if (link_local && (::if_nametoindex(scope.c_str()) != 0 || (errno != ENODEV && errno != ENXIO)))
        return true; // a sandbox forbids the question: whoever wrote the name knew the interface
    if (scope.empty() || !is_digit(scope.front()))
        return false;
    char* end = nullptr;
    const unsigned long long number = std::strtoull(scope.c_str(), &end, 10);
    return *end == '\0' && number <= std::numeric_limits<std::uint32_t>::max();
}

bool matches_ipv6(std::string_view pattern, std::string_view subject)
{
    const auto wanted = parse_ipv6(pattern);
    if (!wanted)
        return false;
    const auto found = parse_ipv6(subject);
    return found && found->bytes == wanted->bytes;
}

} // namespace

bool has_wildcards(std::string_view pattern) { return pattern.find_first_of("*?") != std::string_view::npos; }

bool is_numeric(std::string_view pattern) { return pattern.find_first_not_of("0123456789./") == std::string_view::npos; }

bool is_address_with_wildcards(std::string_view pattern)
{
    return has_wildcards(pattern) && pattern.find_first_not_of("0123456789.*?") == std::string_view::npos
        && pattern.find_first_of("0123456789") != std::string_view::npos;
}

bool matches_wildcards(std::string_view pattern, std::string_view subject)
{
    std::string rewritten;
    if (pattern.ends_with("**")) { // libwrap tries a star before another one only while characters are left
        rewritten = pattern.substr(0, pattern.find_last_not_of('*') + 1);
        pattern = rewritten += "?*";
    }
    constexpr std::size_t kNone = std::string_view::npos;
    std::size_t p = 0;
    std::size_t s = 0;
    std::size_t after_star = kNone; // only the last star needs trying again: that is what keeps the time in bounds
    std::size_t star_end = 0;
    while (s < subject.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            after_star = ++p;
            star_end = s;
        } else if (p < pattern.size() && (pattern[p] == '?' || to_lower(pattern[p]) == to_lower(subject[s]))) {
            ++p;
            ++s;
        } else if (after_star != kNone) {
            p = after_star;
            s = ++star_end;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == kNone;
}

std::string_view without_mapped_prefix(std::string_view address)
{
    constexpr std::string_view kPrefix = "::ffff:";
    if (starts_with_ignoring_case(address, kPrefix) && parse_ipv4_loosely(address.substr(kPrefix.size())))
        address.remove_prefix(kPrefix.size());
    return address;
}

bool matches_text(std::string_view pattern, std::string_view subject)
{
    subject = without_mapped_prefix(subject);
    if (has_wildcards(pattern))
        return matches_wildcards(pattern, subject);
    if (pattern.starts_with('.'))
        return subject.size() > pattern.size() && equal_ignoring_case(subject.substr(subject.size() - pattern.size()), pattern);
    if (equal_ignoring_case(pattern, "ALL"))
        return true;
    if (equal_ignoring_case(pattern, "KNOWN"))
        return !equal_ignoring_case(subject, "unknown");
    if (pattern.ends_with('.'))
        return starts_with_ignoring_case(subject, pattern);
    if (pattern.starts_with('[') && pattern.ends_with(']'))
        return matches_ipv6(pattern.substr(1, pattern.size() - 2), subject);
    return equal_ignoring_case(pattern, subject);
}

std::optional<std::uint16_t> port_number(std::string_view token)
{
    const auto number = scan_unsigned(token);
    if (!number || *number > std::numeric_limits<std::uint16_t>::max())
        return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

std::optional<Ipv6Text> parse_ipv6(std::string_view text)
{
    Ipv6Text result;
    const std::size_t percent = text.find('%');
    in6_addr address;
    if (::inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &address) != 1)
        return std::nullopt;
    if (percent != std::string_view::npos) {
        result.scope = text.substr(percent + 1);
        if (!is_known_scope(address, result.scope))
            return std::nullopt;
    }
    std::memcpy(result.bytes.data(), &address, sizeof address);
    return result;
}

std::optional<std::uint32_t> parse_ipv4_loosely(std::string_view text)
{
    int parts = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '.' && (i == 0 || text[i - 1] == '.'))
            ++parts;
    }
    if (parts != 4)
        return std::nullopt;
    const in_addr_t address = ::inet_addr(std::string(text).c_str());
    if (address == INADDR_NONE)
        return std::nullopt;
    return ntohl(address);
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text)
{
    std::uint32_t address = 0;
    std::size_t at = 0;
    for (int part = 0; part < 4; ++part) {
        if (part > 0 && (at >= text.size() || text[at++] != '.'))
            return std::nullopt;
        const std::size_t start = at;
        std::uint32_t value = 0;
        while (at < text.size() && is_digit(text[at]) && at - start < 3)
            value = value * 10 + static_cast<std::uint32_t>(text[at++] - '0');
        if (at == start || value > 255 || (text[start] == '0' && at - start > 1))
            return std::nullopt;
        address = address << 8 | value;
    }
    return at == text.size() ? std::optional(address) : std::nullopt;
}

} // namespace safetp::access
