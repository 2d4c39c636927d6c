#include "access/index.h"

#include "access/net_pattern.h"
#include "access/request.h"
#include "access/string_pattern.h"
#include "access/text.h"

#include <algorithm>
#include <bit>

namespace safetp::access {

namespace {

NetKey ipv4_key(std::uint32_t address, unsigned bits)
{
    NetKey key{false, bits, {}};
    const std::uint32_t net = bits == 0 ? 0 : address & 0xffffffffu << (32 - bits);
    for (unsigned i = 0; i < 4; ++i)
        key.address[i] = static_cast<std::uint8_t>(net >> (24 - 8 * i));
    return key;
}

NetKey shortened(NetKey key, unsigned bits)
{
    key.bits = bits;
    for (unsigned i = 0; i < key.address.size(); ++i) {
        const unsigned kept = bits <= 8 * i ? 0 : std::min(8u, bits - 8 * i);
        key.address[i] = static_cast<std::uint8_t>(key.address[i] & (0xff00u >> kept));
    }
    return key;
}

/// 10. and 10.1. and 10.1.2.
std::optional<NetKey> prefix_key(std::string_view pattern)
{
    const auto dots = static_cast<unsigned>(std::ranges::count(pattern, '.'));
    if (dots < 1 || dots > 3)
        return std::nullopt;
    std::string whole(pattern);
    whole += "0";
    for (unsigned i = dots; i < 3; ++i)
        whole += ".0";
    const auto address = parse_ipv4(whole);
    return address ? std::optional(ipv4_key(*address, 8 * dots)) : std::nullopt;
}

/// Only nets that both readings take alike and without a word.
std::optional<NetKey> net_key(std::string_view net, std::string_view mask)
{
    if (net.starts_with('[')) {
        const auto base = net.find('%') == std::string_view::npos ? bracketed_ipv6(net) : std::nullopt;
        const auto length = plain_length(mask, 128);
        if (!base || !length)
            return std::nullopt;
        return shortened(NetKey{true, 128, base->bytes}, static_cast<unsigned>(*length));
    }
    const auto base = parse_ipv4(net);
    const auto length = plain_length(mask, 32);
    const auto bits = length ? mask_of_length(*length) : parse_ipv4(mask);
    if (!base || !bits || (*base & ~*bits) != 0 || (length && *length == 0))
        return std::nullopt;
    const auto ones = static_cast<unsigned>(std::popcount(*bits));
    if (*bits != mask_of_length(static_cast<int>(ones)) || (!length && ones == 32) || *base == 0xffffffff)
        return std::nullopt;
    return ipv4_key(*base, ones);
}

std::optional<NetKey> key_of(std::string_view pattern)
{
    if (pattern.starts_with('/') || pattern.find('@') != std::string_view::npos)
        return std::nullopt;
    if (const std::size_t slash = find_outside_brackets(pattern, '/'); slash != std::string_view::npos)
        return net_key(pattern.substr(0, slash), pattern.substr(slash + 1));
    if (pattern.starts_with('['))
        return net_key(pattern, "128");
    if (pattern.ends_with('.'))
        return prefix_key(pattern);
    const auto address = parse_ipv4(pattern);
    return address ? std::optional(ipv4_key(*address, 32)) : std::nullopt;
}

/// The nets of a list of nothing else; empty: it has other words too.
std::vector<NetKey> keys_of(std::string_view list)
{
    std::vector<NetKey> keys;
    Words words(list);
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
        const auto key = key_of(word);
        if (!key)
            return {};
        keys.push_back(*key);
    }
    return keys;
}

/// Whether the search may pass a rule with this comment without a look: no word of it is a pattern that matches an address.
bool is_idle_comment(std::string_view comment)
{
    if (comment.find_first_of("*?./@[") != std::string_view::npos)
        return false;
    Words words(comment);
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
        if (equal_ignoring_case(word, "ALL") || equal_ignoring_case(word, "KNOWN"))
            return false;
    }
    return true;
}

bool has_bracketed_address(std::string_view list)
{
    Words words(list);
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
        if (word.ends_with(']'))
            return true;
    }
    return false;
}

template <typename Entry, typename Key>
std::optional<std::uint32_t> find_entry(std::span<const std::byte> bytes, const Key& key)
{
    const image::Records<Entry> entries(bytes);
    std::size_t low = 0;
    std::size_t high = entries.size();
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == entries.size() || entries[low].key != key)
        return std::nullopt;
    return entries[low].item;
}

} // namespace

std::uint32_t ipv4_number(const NetKey& key)
{
    return std::uint32_t{key.address[0]} << 24 | std::uint32_t{key.address[1]} << 16 | std::uint32_t{key.address[2]} << 8
        | key.address[3];
}

std::optional<ClientKey> client_key(std::string_view address)
{
    if (equal_ignoring_case(address, kUnknown))
        return ClientKey{};
    if (const auto ipv4 = parse_ipv4(without_mapped_prefix(address)))
        return *ipv4 == 0xffffffff ? std::nullopt : std::optional(ClientKey{true, ipv4_key(*ipv4, 32)});
    if (address.find('%') != std::string_view::npos)
        return std::nullopt;
    const auto ipv6 = parse_ipv6(address);
    return ipv6 ? std::optional(ClientKey{true, NetKey{true, 128, ipv6->bytes}}) : std::nullopt;
}

void IndexBuilder::add_rule(const Rule& rule, std::uint32_t item)
{
    const bool plain = !rule.had_mark && rule.daemon_comment.empty() && is_idle_comment(rule.client_comment)
        && rule.daemons.find('@') == std::string::npos;
    const std::vector<NetKey> keys = plain ? keys_of(rule.clients) : std::vector<NetKey>();
    if (keys.empty()) {
        ordinary_.push_back(item);
        return;
    }
    const std::uint32_t group = group_of(rule.daemons);
    // A bracketed address that is not the client's makes libwrap ask for the name. The first rule of a group that has one stays
    // where the search comes by and asks; behind it the name is known.
    if (!has_bracketed_[group] && has_bracketed_address(rule.clients)) {
        has_bracketed_[group] = true;
        ordinary_.push_back(item);
        return;
    }
    for (const NetKey& key : keys)
        entries_.push_back({group, key, item});
}

void IndexBuilder::add_word(std::string_view word, std::uint32_t offset)
{
    const std::uint32_t group = group_of("");
    const auto key = word.find('\0') == std::string_view::npos ? key_of(word) : std::nullopt;
    const bool asks = key && word.ends_with(']') && !has_bracketed_[group]; // as above
    if (asks)
        has_bracketed_[group] = true;
    if (!key || asks)
        ordinary_.push_back(offset);
    else
        entries_.push_back({group, *key, offset});
}

std::uint32_t IndexBuilder::group_of(const std::string& daemons)
{
    const auto [found, is_new] = groups_.try_emplace(daemons, static_cast<std::uint32_t>(groups_.size()));
    if (is_new)
        has_bracketed_.push_back(false);
    return found->second;
}

IndexBuilder::Result IndexBuilder::finish()
{
    std::ranges::sort(entries_);
    const auto same_net = [](const Entry& a, const Entry& b) { return a.group == b.group && a.key == b.key; };
    const auto rest = std::ranges::unique(entries_, same_net);
    entries_.erase(rest.begin(), rest.end());
    Result result{std::move(ordinary_), std::vector<std::string>(groups_.size()), std::move(entries_)};
    for (const auto& [daemons, group] : groups_)
        result.groups[group] = daemons;
    return result;
}

std::optional<std::uint32_t> find_in_index(const image::View& image, const image::Records<image::Run>& runs,
    const ClientKey& client, const std::function<bool(std::uint32_t)>& is_wanted)
{
    std::optional<std::uint32_t> first;
    std::optional<std::uint32_t> asked_group;
    bool wanted = false;
    for (std::size_t i = 0; client.known && i < runs.size(); ++i) {
        const image::Run run = runs[i];
        if ((run.ipv6 != 0) != client.net.ipv6)
            continue;
        if (asked_group != run.group) {
            asked_group = run.group;
            wanted = is_wanted(run.group);
        }
        if (!wanted)
            continue;
        const NetKey key = shortened(client.net, run.bits);
        const auto found = run.ipv6 != 0 ? find_entry<image::Entry6>(image.bytes(run.entries), key.address)
                                         : find_entry<image::Entry4>(image.bytes(run.entries), ipv4_number(key));
        if (found && (!first || *found < *first))
            first = found;
    }
    return first;
}

} // namespace safetp::access
