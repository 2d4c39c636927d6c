// Daemon and client lists: hosts_access(5), "ACCESS CONTROL RULES", "OPERATORS" and "SERVER ENDPOINT PATTERNS".
#include "access/lint_parts.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace safetp::access {

namespace {

enum class Side { daemons, clients };

const char* name_of(Side side) { return side == Side::daemons ? "daemon" : "client"; }

/// Words from a # on. True: there are some, and the list ends before them.
bool check_comment(Linter& linter, const Place& place, std::vector<std::string_view>& words, Side side)
{
    const auto comment = std::ranges::find_if(words, [](std::string_view word) { return word.starts_with('#'); });
    if (comment == words.end())
        return false;
    const bool opens
        = std::any_of(comment, words.end(), [](std::string_view word) { return equal_ignoring_case(word, "ALL"); });
    linter.error(place,
        fmt::format("a comment begins in the first column of a line only: {} and the words after it count as {} "
                    "patterns{}; write them into a line of their own",
            shown(*comment), name_of(side), opens ? ", ALL among them" : ""));
    words.erase(comment, words.end());
    return true;
}

void check_except(Linter& linter, const Place& place, const std::vector<std::string_view>& words, Side side)
{
    const auto is_except = [](std::string_view word) { return equal_ignoring_case(word, "EXCEPT"); };
    if (is_except(words.front()))
        linter.error(
            place, fmt::format("a {} list that begins with EXCEPT never matches: write ALL EXCEPT ...", name_of(side)));
    else if (is_except(words.back()))
        linter.error(place,
            fmt::format(
                "nothing follows EXCEPT in the {} list, so nobody is excepted: write whom, or take it out", name_of(side)));
    if (std::ranges::adjacent_find(words, [&](auto one, auto next) { return is_except(one) && is_except(next); })
        != words.end())
        linter.error(place,
            fmt::format(
                "EXCEPT EXCEPT in the {} list: between them nobody is named, so nobody is excepted; write one", name_of(side)));
    const auto first = std::ranges::find_if(words, is_except);
    if (first != words.end() && first + 1 != words.end() && equal_ignoring_case(*(first + 1), "ALL")
        && first + 2 == words.end())
        linter.error(
            place, fmt::format("EXCEPT ALL in the {} list excepts everybody, so the rule never matches", name_of(side)));
}

/// True: the list has words to look at.
bool check_list(Linter& linter, const Place& place, std::vector<std::string_view>& words, Side side)
{
    if (words.empty()) {
        linter.error(place,
            fmt::format("the {} list is empty, so the rule never matches: write ALL for {}", name_of(side),
                side == Side::daemons ? "every daemon" : "every client"));
        return false;
    }
    check_comment(linter, place, words, side);
    if (words.empty())
        return false;
    check_except(linter, place, words, side);
    return true;
}

bool is_number(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

void check_port(Linter& linter, const Place& place, std::string_view number)
{
    unsigned long port = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), port);
    if (error != std::errc{} || port > 65535 || port == 0)
        linter.error(place, fmt::format("{} is no port: they end at 65535", shown(number)));
}

/// tcpdchk's check against inetd.conf.
void check_known(Linter& linter, const Place& place, std::string_view name)
{
    const auto is_it = [&](const std::string& daemon) { return equal_ignoring_case(daemon, name); };
    if (std::ranges::any_of(linter.settings.unwrapped, is_it))
        linter.warning(place,
            fmt::format("inetd starts {} without tcpd, so that nobody asks these tables for it: put safetp-tcpd before it in "
                        "inetd.conf (or start inetd with -l)",
                shown(name)));
    const std::vector<std::string>& known = linter.settings.daemons;
    if (known.empty() || equal_ignoring_case(name, "ALL") || has_wildcards(name) || std::ranges::any_of(known, is_it))
        return;
    const auto nearly = std::ranges::find_if(known, [&](const std::string& daemon) {
        return equal_ignoring_case(daemon, "in." + std::string(name)) || equal_ignoring_case("in." + daemon, name)
            || equal_ignoring_case(daemon, std::string(name) + "d");
    });
    linter.warning(place,
        fmt::format("no service here asks as {}{}; the name is the daemon's argv[0] in inetd.conf", shown(name),
            nearly == known.end() ? "" : ": did you mean \"" + *nearly + "\"?"));
}

void check_daemon_name(Linter& linter, const Place& place, std::string_view name)
{
    if (is_number(name))
        return check_port(linter, place, name);
    if (name.find('/') != std::string_view::npos)
        return linter.error(place,
            fmt::format("daemons are named without a path, so {} never matches: write {}", shown(name),
                name.substr(name.rfind('/') + 1)));
    if (name.starts_with('@'))
        return linter.error(
            place, fmt::format("netgroups stand on the client side only: {} means a daemon of that name", shown(name)));
    if (is_word(name, {"LOCAL", "UNKNOWN", "PARANOID", "FAIL", "ANY"}))
        return linter.error(place,
            fmt::format("{} means nothing on the daemon side, where it is a daemon of that name: write ALL or the "
                        "daemon's name",
                shown(name)));
    if (name.starts_with('.') || name.ends_with('.'))
        return linter.warning(place,
            fmt::format("the dot makes {} every daemon whose name {} so: write the daemon's name", shown(name),
                name.starts_with('.') ? "ends" : "begins"));
    if (equal_ignoring_case(name, "KNOWN"))
        return linter.warning(place, "KNOWN on the daemon side is every daemon: write ALL");
    if (name.find_first_of("\"';()`!\\") != std::string_view::npos
        || std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return linter.error(place,
            fmt::format("{} has a character that no daemon name has, so it never matches; lists have commas", shown(name)));
    if (name.starts_with('['))
        return linter.error(place, fmt::format("{} is an address on the daemon side: write DAEMON : CLIENT", shown(name)));
    if (network_of(name))
        return linter.error(place, fmt::format("{} is an address on the daemon side: write DAEMON : CLIENT", shown(name)));
    check_known(linter, place, name);
}

void check_user(Linter& linter, const Place& place, std::string_view user)
{
    if (is_word(user, {"LOCAL", "PARANOID", "FAIL"}))
        linter.error(place, fmt::format("{} means nothing before @, where it is a user of that name", shown(user)));
    else if (user.find_first_of("/\"';()`!") != std::string_view::npos)
        linter.error(place, fmt::format("{} has a character that no user name has, so it never matches", shown(user)));
    else if (user.starts_with('@'))
        linter.error(place,
            fmt::format("netgroups stand behind the @ only: {} means a user of that name; write {} alone for its hosts",
                shown(user), user));
    else if (user.starts_with('.') || user.ends_with('.'))
        linter.warning(place,
            fmt::format("the dot makes {} every user whose name {} so: write the user's name", shown(user),
                user.starts_with('.') ? "ends" : "begins"));
    else if (equal_ignoring_case(user, "ALL"))
        linter.warning(place,
            "ALL@ asks every such client's ident server (a second or more each) and lets all of them through: write "
            "the host alone, or KNOWN@ for those who answer");
}

void check_client(Linter& linter, const Place& place, std::string_view word)
{
    if (!has_at_sign(word))
        return check_host(linter, place, word, HostSide::client);
    const auto [user, host] = split_at_sign(word);
    check_user(linter, place, user);
    if (host.empty())
        return linter.error(
            place, fmt::format("no host follows the @ of {}, so it never matches: write {}@ALL", shown(word), user));
    if (user.find('.') != std::string_view::npos && host.find('.') == std::string_view::npos && network_of(user))
        return linter.error(place, fmt::format("{} has its sides swapped: write USER@HOST", shown(word)));
    check_host(linter, place, host, HostSide::client);
}

} // namespace

void check_daemons(Linter& linter, const Place& place, std::string_view list)
{
    std::vector<std::string_view> words = words_of(list);
    if (!check_list(linter, place, words, Side::daemons))
        return;
    for (const std::string_view word : words) {
        if (equal_ignoring_case(word, "EXCEPT"))
            continue;
        const auto [name, host] = split_at_sign(word);
        check_daemon_name(linter, place, name);
        if (!has_at_sign(word))
            continue;
        if (host.empty())
            linter.error(place,
                fmt::format("no address follows the @ of {}, so it never matches: write this machine's address", shown(word)));
        else
            check_host(linter, place, host, HostSide::server);
    }
}

void check_clients(Linter& linter, const Place& place, std::string_view list)
{
    std::vector<std::string_view> words = words_of(list);
    if (!check_list(linter, place, words, Side::clients))
        return;
    for (const std::string_view word : words) {
        if (!equal_ignoring_case(word, "EXCEPT"))
            check_client(linter, place, word);
    }
}

} // namespace safetp::access
