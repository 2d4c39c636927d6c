// Rules that are never reached, because rules before them decide about all their clients. The first match ends the search, so
// the order is the allow table's, then the deny table's. Each pair of a daemon and a client pattern is looked up among those of
// earlier rules, so that a table of a million addresses takes seconds and not days.
#include "access/lint_parts.h"
#include "access/options.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <unordered_map>

namespace safetp::access {

namespace {

constexpr std::size_t kToldOneByOne = 3; ///< of rules that one rule hides

/// A rule that decides before another one.
struct Cover {
    const std::string* file = nullptr;
    unsigned line = 0;
    bool grants = false;

    auto position() const { return std::pair(file, line); }
};

struct Hidden {
    const std::string* file;
    unsigned line;
    bool matters; ///< it would have decided otherwise, or done more
};

std::string joined_words(std::string_view list)
{
    std::string text;
    for (const std::string_view word : words_of(list))
        text += lower(word) + ' ';
    return text;
}

bool has_except(const std::vector<std::string_view>& words)
{
    return std::ranges::any_of(words, [](std::string_view word) { return equal_ignoring_case(word, "EXCEPT"); });
}

/// Whether a host pattern means the same in every rule. In the safe reading a doubtful one matches where that refuses, and not
/// elsewhere; so it neither hides others nor is hidden.
bool is_certain(std::string_view host, Reading reading)
{
    const bool is_safe = reading == Reading::safe;
    if (host.starts_with('/'))
        return !is_safe; // its words may be doubtful
    AddressPattern pattern;
    if (host.starts_with('['))
        pattern = read_bracketed(host);
    else if (host.find('/') != std::string_view::npos)
        pattern = read_net_and_mask(host);
    else if (is_numeric(host) && !host.starts_with('.'))
        pattern = read_digits_and_dots(host);
    if (is_safe && (is_address_with_wildcards(host) || (host.starts_with('[') && host.find('%') != std::string_view::npos)))
        return false;
    return pattern.error.empty() && !(is_safe && pattern.fails_in_safe);
}

bool is_certain_word(std::string_view word, bool is_daemon, Reading reading)
{
    if (equal_ignoring_case(word, "EXCEPT"))
        return true;
    const auto [before, host] = split_at_sign(word);
    return has_at_sign(word) ? is_certain(host, reading) : is_daemon || is_certain(word, reading);
}

/// The client patterns of earlier rules for one daemon pattern.
class Clients {
public:
    void add(std::string_view pattern, const Cover& cover)
    {
        if (equal_ignoring_case(pattern, "ALL") || pattern == "*") {
            if (!all_)
                all_ = cover;
        } else if (const auto network = network_of(pattern)) {
            networks_[{network->base.is_ipv4(), network->prefix_bits}].try_emplace(key_of(*network), cover);
        } else {
            texts_.try_emplace(lower(pattern), cover);
        }
    }

    const Cover* find(std::string_view pattern, Reading reading) const
    {
        if (all_)
            return &*all_;
        if (!is_certain_word(pattern, false, reading))
            return nullptr;
        const std::string text = lower(pattern);
        if (const auto same = texts_.find(text); same != texts_.end())
            return &same->second;
        if (has_at_sign(pattern)) // whoever covers the host covers its users
            return find(split_at_sign(pattern).second, reading);
        if (const auto network = network_of(pattern))
            return find_network(*network);
        return find_domain(text);
    }

private:
    static std::string key_of(const Network& network) { return network.base.to_string(); }

    const Cover* find_network(const Network& wanted) const
    {
        for (const auto& [kind, blocks] : networks_) {
            const auto [is_ipv4, bits] = kind;
            if (is_ipv4 != wanted.base.is_ipv4() || bits > wanted.prefix_bits)
                continue;
            if (const auto found = blocks.find(key_of(cut(wanted, bits))); found != blocks.end())
                return &found->second;
        }
        return nullptr;
    }

    static Network cut(const Network& network, unsigned bits)
    {
        std::array<std::uint8_t, 16> bytes = network.base.bytes();
        for (unsigned at = 0; at < 16; ++at) {
            const unsigned kept = bits > 8 * at ? std::min(bits - 8 * at, 8u) : 0;
            bytes[at] = static_cast<std::uint8_t>(bytes[at] & (0xff00u >> kept));
        }
        if (network.base.is_ipv4())
            return {IpAddress::from_ipv4({bytes[0], bytes[1], bytes[2], bytes[3]}), bits};
        return {IpAddress::from_ipv6(bytes), bits};
    }

    /// .example.org covers ftp.example.org, .sub.example.org and *.example.org.
    const Cover* find_domain(std::string_view name) const
    {
        const std::size_t glob = name.find_last_of("*?");
        if (name.starts_with('/') || name.starts_with('@') || name.ends_with('.'))
            return nullptr;
        for (std::size_t dot = name.find('.', glob == std::string_view::npos ? 1 : glob + 1); dot != std::string_view::npos;
             dot = name.find('.', dot + 1)) {
            if (const auto found = texts_.find(std::string(name.substr(dot))); found != texts_.end())
                return &found->second;
        }
        return nullptr;
    }

    std::optional<Cover> all_;
    std::unordered_map<std::string, Cover> texts_;
    std::map<std::pair<bool, unsigned>, std::unordered_map<std::string, Cover>> networks_;
};

} // namespace

struct OrderCheck::State {
    Reading reading;
    bool may_be_taken_back = false;                       ///< strict: a failed aclexec takes back later rules that have options
    std::unordered_map<std::string, Clients> daemons{};   ///< "all" for ALL and *
    std::vector<std::string> globs{};                     ///< keys of `daemons` that are wildcards
    std::unordered_map<std::string, Cover> whole_rules{}; ///< with their options, for the same rule again
    std::unordered_map<std::string, Cover> lists{};       ///< without; for those with EXCEPT
    std::map<std::pair<const std::string*, unsigned>, std::vector<Hidden>> hidden{};

    static std::string key_of(std::string_view daemon) { return daemon == "*" ? "all" : lower(daemon); }
    const Cover* find_in(const std::string& key, std::string_view client) const
    {
        const auto found = daemons.find(key);
        return found == daemons.end() ? nullptr : found->second.find(client, reading);
    }
    void keep_certain(std::vector<std::string_view> names, std::vector<std::string_view> clients, const Cover& cover);
    const Cover* find(std::string_view daemon, std::string_view client) const;
    bool covers_all(const std::vector<std::string_view>& names, const std::vector<std::string_view>& clients, bool grants,
        std::optional<Cover>& first, bool& differs) const;
    void keep(const std::vector<std::string_view>& names, const std::vector<std::string_view>& clients, const Cover& cover);
};

const Cover* OrderCheck::State::find(std::string_view daemon, std::string_view client) const
{
    const std::string key = key_of(daemon);
    const Cover* found = find_in("all", client);
    if (!found)
        found = find_in(key, client);
    if (!found && has_at_sign(daemon))
        found = find_in(key_of(split_at_sign(daemon).first), client);
    const std::string_view name = split_at_sign(daemon).first;
    const bool is_literal = !has_wildcards(name) && !port_number(name) && !name.starts_with('.') && !name.ends_with('.')
        && !is_word(name, {"ALL", "KNOWN"});
    for (auto glob = globs.begin(); !found && is_literal && glob != globs.end(); ++glob)
        if (matches_wildcards(*glob, name))
            found = find_in(*glob, client);
    return found;
}

bool OrderCheck::State::covers_all(const std::vector<std::string_view>& names, const std::vector<std::string_view>& clients,
    bool grants, std::optional<Cover>& first, bool& differs) const
{
    for (const std::string_view name : names) {
        for (const std::string_view client : clients) {
            const Cover* cover = find(name, client);
            if (!cover)
                return false;
            if (!first)
                first = *cover;
            differs = differs || cover->grants != grants;
        }
    }
    return first.has_value();
}

void OrderCheck::State::keep(
    const std::vector<std::string_view>& names, const std::vector<std::string_view>& clients, const Cover& cover)
{
    for (const std::string_view name : names) {
        const std::string key = key_of(name);
        if (has_wildcards(key) && !daemons.contains(key) && !has_at_sign(key))
            globs.push_back(key);
        for (const std::string_view client : clients)
            daemons[key].add(client, cover);
    }
}

void OrderCheck::State::keep_certain(
    std::vector<std::string_view> names, std::vector<std::string_view> clients, const Cover& cover)
{
    std::erase_if(names, [&](std::string_view word) { return !is_certain_word(word, true, reading); });
    std::erase_if(clients, [&](std::string_view word) { return !is_certain_word(word, false, reading); });
    keep(names, clients, cover);
}

OrderCheck::OrderCheck(Linter& linter)
    : linter_(linter)
    , state_(std::make_unique<State>(State{.reading = linter.settings.reading}))
{
}

OrderCheck::~OrderCheck() = default;

void OrderCheck::add(const Place& place, const Rule& rule)
{
    const std::vector<std::string_view> daemon_words = words_of(rule.daemons);
    const std::vector<std::string_view> client_words = words_of(rule.clients);
    const std::vector<std::string_view> names = positive_words(daemon_words);
    const std::vector<std::string_view> clients = positive_words(client_words);
    if (names.empty() || clients.empty())
        return;
    std::vector<std::string> options;
    for (const std::string& field : rule.has_options ? option_fields(rule.options) : std::vector<std::string>{})
        options.push_back(option_words(field).name);
    const std::string last = options.empty() ? "" : options.back();
    const Cover here{&place.file, place.line, !refuses(rule, place.table)};
    const bool does_more = options.size() > (last == "allow" || last == "deny" ? 1u : 0u);

    const std::string lists = joined_words(rule.daemons) + ": " + joined_words(rule.clients);
    const std::string table = place.table == TableName::allow ? "a " : "d ";
    const auto [same, is_new] = state_->whole_rules.try_emplace(table + lists + ": " + rule.options, here);
    if (!is_new)
        return linter_.warning(place, fmt::format("the same rule stands in line {}: take one out", same->second.line));

    std::optional<Cover> first;
    bool differs = false;
    if (const auto known = state_->lists.find(lists); known != state_->lists.end()) {
        first = known->second;
        differs = first->grants != here.grants;
    }
    if (first || state_->covers_all(names, clients, here.grants, first, differs)) {
        state_->hidden[first->position()].push_back({&place.file, place.line, differs || does_more});
        return;
    }
    if (std::ranges::find(options, "aclexec") != options.end()) { // a failing one is no match
        state_->may_be_taken_back = state_->reading == Reading::strict;
        return;
    }
    if (rule.had_mark || (state_->may_be_taken_back && rule.has_options))
        return;
    if (!has_except(daemon_words) && !has_except(client_words))
        return state_->keep_certain(names, clients, here);
    const auto is_clear = [&](bool is_daemon) {
        return [this, is_daemon](std::string_view word) { return is_certain_word(word, is_daemon, state_->reading); };
    };
    if (std::ranges::all_of(daemon_words, is_clear(true)) && std::ranges::all_of(client_words, is_clear(false)))
        state_->lists.try_emplace(lists, here);
}

void OrderCheck::finish()
{
    for (const auto& [cover, rules] : state_->hidden) {
        const auto& [file, line] = cover;
        if (rules.size() > kToldOneByOne) {
            const bool matters = std::ranges::any_of(rules, &Hidden::matters);
            linter_.findings.add(matters ? Finding::Severity::error : Finding::Severity::warning, *file, line,
                fmt::format(
                    "{} rules after this one are never reached, since it matches all their clients first; the first of them is "
                    "{}:{}: move it behind them, or take them out",
                    rules.size(), *rules.front().file, rules.front().line));
            continue;
        }
        for (const Hidden& rule : rules) {
            const std::string where = rule.file == file ? fmt::format("line {}", line) : fmt::format("{}:{}", *file, line);
            if (rule.matters)
                linter_.findings.error(*rule.file, rule.line,
                    fmt::format("never reached: {} matches all these clients first and does "
                                "something else with them; move this rule before it, or take "
                                "it out",
                        where));
            else
                linter_.findings.warning(
                    *rule.file, rule.line, fmt::format("not needed: {} matches all these clients already", where));
        }
    }
}

} // namespace safetp::access
