#include "access/lists.h"

#include "access/facts.h"
#include "access/index.h"
#include "access/net_pattern.h"
#include "access/options.h"
#include "access/string_pattern.h"
#include "access/text.h"

#include <fmt/core.h>

namespace safetp::access {

namespace {

constexpr int kDeepestSafeFile = 8;
constexpr int kDeepestFile = 1000; // libwrap's stack ends about here (B4)
constexpr std::size_t kLongestFileWord = 8191;

/// Whether an IPv6 pattern with a scope names the scope of the address; libwrap does not look.
bool same_scope(std::string_view pattern, std::string_view address)
{
    const std::size_t percent = pattern.find('%');
    if (!pattern.starts_with('[') || percent == std::string_view::npos)
        return true;
    const std::string_view scope = pattern.substr(percent, pattern.size() - percent - 1);
    return address.find('%') != std::string_view::npos && address.substr(address.find('%')) == scope;
}

Match as_match(bool matched) { return matched ? Match::yes : Match::no; }

} // namespace

Match Matcher::match(const Rule& rule, TableName table)
{
    rule_ = &rule;
    table_ = table;
    const Match daemons = match_daemons(rule.daemons);
    return daemons == Match::yes ? match_list(rule.clients, &Matcher::match_client) : daemons;
}

/// `a EXCEPT b EXCEPT c` is a and not (b and not c): each list that matches turns the answer over.
Match Matcher::match_list(std::string_view list, Match (Matcher::*match_word)(std::string_view))
{
    Words words(list);
    excepted_ = false;
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
        if (equal_ignoring_case(word, "EXCEPT"))
            break;
        const Match match = (this->*match_word)(word);
        if (match == Match::pending || match == Match::crash)
            return match;
        if (match == Match::no)
            continue;
        excepted_ = !excepted_;
        do {
            word = words.next();
        } while (!word.empty() && !equal_ignoring_case(word, "EXCEPT"));
        if (word.empty())
            break;
        trace(Trace::Kind::except, word, true);
    }
    return as_match(excepted_);
}

Match Matcher::match_daemon(std::string_view word)
{
    const std::size_t at = find_outside_brackets(word.substr(1), '@');
    const std::string_view daemon = at == std::string_view::npos ? word : word.substr(0, at + 1);
    const auto port = port_number(daemon);
    const bool matched = port ? request_.server_port == port : matches_text(daemon, request_.daemon);
    Match result = as_match(matched);
    if (matched && at != std::string_view::npos)
        result = match_host(word.substr(at + 2), Side::server);
    if (result == Match::yes || result == Match::no)
        trace(Trace::Kind::daemon_pattern, word, result == Match::yes);
    return result;
}

Match Matcher::match_client(std::string_view word)
{
    const std::size_t at = find_outside_brackets(word.substr(1), '@');
    const std::string_view host = at == std::string_view::npos ? word : word.substr(at + 2);
    Match result = match_host(host, Side::client);
    if (result == Match::yes || result == Match::no)
        trace(Trace::Kind::client_pattern, host, result == Match::yes);
    if (result != Match::yes || at == std::string_view::npos)
        return result;
    const std::string* user = fact(Fact::client_user);
    if (user == nullptr)
        return Match::pending;
    const bool matched = matches_text(word.substr(0, at + 1), *user);
    trace(Trace::Kind::user_pattern, word.substr(0, at + 1), matched);
    return as_match(matched);
}

Match Matcher::match_told(std::string_view word)
{
    const std::size_t at = find_outside_brackets(word.substr(1), '@');
    if (at == std::string_view::npos)
        return as_match(is_told_host(word));
    const auto& user = request_.client_user;
    return as_match(user && is_told_host(word.substr(at + 2)) && matches_text(word.substr(0, at + 1), *user));
}

bool Matcher::is_told_host(std::string_view pattern) const
{
    const std::string& client = address(Side::client);
    const auto& host = request_.client_name;
    const std::size_t slash = find_outside_brackets(pattern, '/');
    if (slash != std::string_view::npos)
        return matches_net(pattern.substr(0, slash), pattern.substr(slash + 1), client);
    if (matches_text(pattern, client))
        return !equal_ignoring_case(pattern, "KNOWN") || !host || is_good_name(*host);
    return host && !is_numeric(pattern) && matches_text(pattern, *host);
}

Match Matcher::match_host(std::string_view pattern, Side side, int depth)
{
    if (pattern.starts_with('@'))
        return match_netgroup(pattern.substr(1), side);
    if (pattern.starts_with('/'))
        return match_file(pattern, side, depth);
    const bool known = equal_ignoring_case(pattern, "KNOWN");
    if (known || equal_ignoring_case(pattern, "LOCAL")) {
        const std::string* host = name(side);
        if (host == nullptr)
            return Match::pending;
        const bool fits = known ? !equal_ignoring_case(address(side), kUnknown) : host->find('.') == std::string::npos;
        return as_match(fits && is_good_name(*host));
    }
    if (const std::size_t slash = find_outside_brackets(pattern, '/'); slash != std::string_view::npos)
        return match_net(pattern, slash, side);
    return match_host_text(pattern, side);
}

Match Matcher::match_host_text(std::string_view pattern, Side side)
{
    if (matches_text(pattern, address(side)))
        return as_match(!safe() || same_scope(pattern, address(side)) || doubtful(pattern, "names another interface"));
    if (is_numeric(pattern))
        return Match::no;
    const std::string* host = name(side);
    if (host == nullptr)
        return Match::pending;
    const bool matched = matches_text(pattern, *host);
    if (matched && safe() && is_address_with_wildcards(pattern))
        return as_match(doubtful(pattern, fmt::format("means addresses, and {} is a name", *host)));
    return as_match(matched);
}

Match Matcher::match_net(std::string_view pattern, std::size_t slash, Side side)
{
    const std::string_view net = pattern.substr(0, slash);
    const std::string_view mask = pattern.substr(slash + 1);
    if (!safe())
        return as_match(matches_net(net, mask, address(side)));
    const NetMatch result = matches_net_safely(net, mask, address(side), refusing());
    if (!result.complaint.empty())
        journal_.warn(fmt::format("{} {}", pattern, result.complaint));
    return as_match(result.matches && (same_scope(net, address(side)) || doubtful(pattern, "names another interface")));
}

Match Matcher::match_netgroup(std::string_view group, Side side)
{
    const std::string* host = name(side);
    if (host == nullptr)
        return Match::pending;
    const auto key = std::pair(std::string(group), *host);
    if (const auto found = netgroups_.find(key); found != netgroups_.end())
        return as_match(found->second);
    pending_ = AskNetgroup{key.first, key.second};
    return Match::pending;
}

void Matcher::answer_netgroup(bool member)
{
    const auto& question = std::get<AskNetgroup>(pending_);
    netgroups_[{question.group, question.host}] = member;
    journal_.note(Trace{Trace::Kind::netgroup, {table_, journal_.line()}, "@" + question.group, member, question.host});
}

/// safe: each file is gone through once for a word of the table. Files that name each other, or one another often, would cost
/// the power of their words; libwrap pays it.
Match Matcher::match_file(std::string_view path, Side side, int depth)
{
    if (!safe())
        return match_named_file(path, side, depth);
    if (depth == 0) {
        files_.clear();
        broken_ = false;
    }
    const auto [place, is_new] = files_.try_emplace(path, true);
    if (!is_new)
        return place->second ? broken(fmt::format("{}: this pattern file names itself", path)) : Match::no;
    const Match match = match_named_file(path, side, depth);
    files_[path] = false;
    return match;
}

Match Matcher::match_named_file(std::string_view path, Side side, int depth)
{
    if (depth >= (safe() ? kDeepestSafeFile : kDeepestFile))
        return safe() ? broken(fmt::format("{}: pattern files are nested too deep", path)) : Match::crash;
    const auto file = image_.file(path);
    const auto state = file ? image::View::state_of(*file) : FileText::State::missing;
    if (state == FileText::State::missing)
        return Match::no;
    if (state == FileText::State::text)
        return match_words_of_file(*file, side, depth + 1);
    if (safe())
        return broken(fmt::format("{}: this pattern file cannot be read", path));
    if (state == FileText::State::unreadable)
        journal_.warn(fmt::format("open {}: {}", path, system_text(file->os_error)));
    return Match::no;
}

/// By the index: the words that are not in it come first, as far as they stand before the one that matches.
Match Matcher::match_words_of_file(const image::File& file, Side side, int depth)
{
    const std::string_view text = image_.text(file.text);
    const auto client = client_key(address(side));
    const auto& known_name = side == Side::client ? request_.client_name : request_.server_name;
    if (!client || journal_.tracing() || (known_name && parse_ipv6(*known_name))) {
        FileWords words(text);
        for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
            if (const auto match = match_word_of_file(word, side, depth))
                return *match;
        }
        return Match::no;
    }
    const auto hit = find_in_index(image_, image_.runs(file), *client, [](std::uint32_t) { return true; });
    const auto ordinary = image_.ordinary(file);
    for (std::size_t i = 0; i < ordinary.size() && (!hit || ordinary[i] < *hit); ++i) {
        const std::string_view word = FileWords(text, ordinary[i]).next();
        if (const auto match = match_word_of_file(word, side, depth))
            return *match;
    }
    return as_match(hit.has_value());
}

/// None: the next word decides. safe: a file that names a broken one is broken too, and so a tangle of files ends at its first
/// end.
std::optional<Match> Matcher::match_word_of_file(std::string_view word, Side side, int depth)
{
    if (word.size() > kLongestFileWord)
        return safe() ? broken("a word of more than 8191 bytes in a pattern file") : Match::crash;
    const Match match = match_host(word.substr(0, word.find('\0')), side, depth); // libwrap's C strings end at a NUL
    return match == Match::no && !broken_ ? std::nullopt : std::optional(match);
}

/// safe: what cannot be read matches where that refuses, and nowhere else.
Match Matcher::broken(std::string_view complaint)
{
    broken_ = true;
    journal_.warn(complaint);
    return as_match(refusing());
}

/// safe: libwrap matches, and it may not be meant. Let it be so where it refuses.
bool Matcher::doubtful(std::string_view pattern, std::string_view complaint)
{
    if (refusing())
        return true;
    journal_.warn(fmt::format("{} {}", pattern, complaint));
    return false;
}

bool Matcher::refusing() const { return refuses(*rule_, table_) != excepted_; }

const std::string* Matcher::fact(Fact fact)
{
    if (const std::string* known = known_fact(request_, fact))
        return known;
    pending_ = LookUp{fact, fact == Fact::client_user ? ident_seconds : 0};
    return nullptr;
}

void Matcher::trace(Trace::Kind kind, std::string_view text, bool matched)
{
    if (journal_.tracing())
        journal_.trace({kind, {table_, journal_.line()}, std::string(text), matched, ""});
}

} // namespace safetp::access
