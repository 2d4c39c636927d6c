// The index of an image: rules that name one address or one net, found by a client's address instead of one after the other.
// Only rules whose answer depends on nothing but the daemon, the port and the address are in it; all others are ordinary, and
// are tried in their order.
#pragma once

#include "access/image.h"
#include "access/rules.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::access {

/// A net, its host bits cleared.
struct NetKey {
    bool ipv6 = false;
    unsigned bits = 0;                       ///< length of the prefix
    std::array<std::uint8_t, 16> address{};  ///< IPv4 stands in the first four
    auto operator<=>(const NetKey&) const = default;
};

/// What a client's address is to the index; none: an address that it cannot look up, and every rule has to be tried.
struct ClientKey {
    bool known = false;    ///< false: "unknown", which no rule of the index matches
    NetKey net;            ///< all bits
};
std::optional<ClientKey> client_key(std::string_view address);

/// Sorts a table's rules into those for the index and the ordinary ones.
class IndexBuilder {
public:
    void add_rule(const Rule& rule, std::uint32_t item);
    void add_trouble(std::uint32_t item) { ordinary_.push_back(item); }

    struct Entry {
        std::uint32_t group = 0;
        NetKey key;
        std::uint32_t item = 0;
        auto operator<=>(const Entry&) const = default;
    };
    struct Result {
        std::vector<std::uint32_t> ordinary;
        std::vector<std::string> groups;   ///< daemon lists
        std::vector<Entry> entries;        ///< sorted; of several for the same net the first rule only
    };
    Result finish();

private:
    std::uint32_t group_of(const std::string& daemons);

    std::vector<std::uint32_t> ordinary_;
    std::map<std::string, std::uint32_t, std::less<>> groups_;
    std::vector<bool> has_bracketed_;      ///< by group
    std::vector<Entry> entries_;
};

/// The four bytes of an IPv4 key in host byte order.
std::uint32_t ipv4_number(const NetKey& key);

/// The first rule of the index that matches the client, where `daemon_matches` says so of its daemon list.
std::optional<std::uint32_t> find_in_index(const image::View& image, TableName table, const ClientKey& client,
    const std::function<bool(std::string_view)>& daemon_matches);

} // namespace safetp::access
