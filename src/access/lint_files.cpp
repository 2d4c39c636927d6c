// Pattern files: /path in a list. One host pattern a word, and nothing else: no comments, no commas, no EXCEPT, no user@.
#include "access/lint_parts.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <fmt/format.h>

namespace safetp::access {

namespace {

constexpr std::size_t kLongestWord = 8191; ///< libwrap's buffer; one byte more ends the process
constexpr std::string_view kBlanks = " \t\r\n\v\f";

/// In a pattern file an IPv6 address may stand without brackets; it is then compared as text.
bool check_ipv6_text(Linter& linter, const Place& place, std::string_view word)
{
    std::array<std::uint8_t, 16> bytes{};
    const std::string text(word);
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1)
        return false;
    char canonical[INET6_ADDRSTRLEN];
    ::inet_ntop(AF_INET6, bytes.data(), canonical, sizeof canonical);
    if (text != canonical)
        linter.error(place,
            fmt::format("an IPv6 address without brackets is compared as text, so {} never matches: write [{}]", shown(word),
                canonical));
    return true;
}

void check_file_word(Linter& linter, const Place& place, std::string_view word)
{
    if (word.size() > kLongestWord)
        linter.error(
            place, fmt::format("a word of {} bytes, at most {}: libwrap ends the daemon here", word.size(), kLongestWord));
    else if (equal_ignoring_case(word, "EXCEPT"))
        linter.error(place,
            "EXCEPT does not work in a pattern file: its word counts as a host name, and those after it match; write "
            "the exception into the rule");
    else if (word.find(',') != std::string_view::npos)
        linter.error(place,
            fmt::format(
                "a comma separates nothing in a pattern file, so {} never matches: write blanks or new lines", shown(word)));
    else if (word.find('@') != std::string_view::npos && !word.starts_with('@'))
        linter.error(place,
            fmt::format(
                "users cannot be named in a pattern file, so {} never matches: write USER@/FILE in the rule", shown(word)));
    else if (!check_ipv6_text(linter, place, word))
        check_host(linter, place, word, HostSide::client);
}

void check_words(Linter& linter, const std::string& path, TableName table, std::string_view text)
{
    unsigned line = 1;
    for (std::size_t at = 0; at < text.size(); ++line) { // the text may have no last newline
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view rest = text.substr(at, end - at);
        const Place place{path, line, table, true};
        while (!(rest = trimmed(rest)).empty()) {
            if (rest.front() == '#') {
                linter.error(place,
                    fmt::format("there are no comments in a pattern file: each word of {} is a pattern; take the line out",
                        shown(rest)));
                break;
            }
            const std::size_t length = std::min(rest.find_first_of(kBlanks), rest.size());
            check_file_word(linter, place, rest.substr(0, length));
            rest.remove_prefix(length);
        }
        at = end + 1;
    }
}

/// The way from a pattern file back to itself, or nothing.
bool leads_to(const TableFiles& files, const std::string& from, const std::string& wanted, std::set<std::string>& passed)
{
    if (!passed.insert(from).second)
        return false;
    const auto found = files.others.find(from);
    if (found == files.others.end() || found->second.state != FileText::State::text)
        return false;
    return std::ranges::any_of(words_of(found->second.text), [&](std::string_view word) {
        return word.starts_with('/') && (word == wanted || leads_to(files, std::string(word), wanted, passed));
    });
}

} // namespace

void check_pattern_file(Linter& linter, const Place& named_at, const std::string& path)
{
    const auto found = linter.files.others.find(path);
    const FileText::State state = found == linter.files.others.end() ? FileText::State::missing : found->second.state;
    if (state == FileText::State::missing)
        return linter.warning(named_at,
            fmt::format("there is no file {}, so nobody is matched by it, and no word is said of that: make "
                        "it, if need be empty",
                shown(path)));
    if (state == FileText::State::directory)
        return linter.error(named_at, fmt::format("{} is a directory: name the file in it", shown(path)));
    if (state == FileText::State::unreadable)
        return linter.error(named_at,
            fmt::format(
                "{} cannot be read, so nobody is matched by it: {}", shown(path), std::strerror(found->second.os_error)));
    std::set<std::string> passed;
    if (leads_to(linter.files, path, path, passed))
        linter.error(named_at,
            fmt::format(
                "{} names itself, if by way of others: libwrap reads it until it fails; take that word out", shown(path)));
    if (!linter.seen_pattern_files.insert(path).second)
        return;
    if (linter.settings.exposed.contains(path))
        linter.findings.error(
            path, 0, "may be written by others than root, who can then let in whom they like: chown root, chmod go-w");
    if (found->second.text.find('\0') != std::string::npos)
        linter.findings.error(path, 0, "has a NUL byte, which hides what follows it: write it as plain text");
    check_words(linter, path, named_at.table, found->second.text);
}

} // namespace safetp::access
