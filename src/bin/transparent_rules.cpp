#include "bin/transparent_rules.h"

#include <fmt/format.h>
#include <string_view>

namespace safetp::bin {

namespace {

constexpr std::string_view kHead = R"(# FTP connections to servers elsewhere go through safetp proxy --transparent{arguments}.
# Load this with: nft -f FILE          Undo it with: nft delete table inet safetp
table inet safetp
delete table inet safetp
table inet safetp {{
)";

// An update that finds its set full only ends its rule. Then the session must not begin: its data connections would go to the
// server in clear.
constexpr std::string_view kRedirect = R"(    # Who has called which FTP server: data connections between them are caught too.
    set pairs4 {{
        type ipv4_addr . ipv4_addr
        flags dynamic, timeout
        timeout 7d
        size 65535
    }}
    set pairs6 {{
        type ipv6_addr . ipv6_addr
        flags dynamic, timeout
        timeout 7d
        size 65535
    }}

    chain catch {{
        # An FTP server on this machine itself is not meant.
        fib daddr type local return
        tcp dport {ftp} update @pairs4 {{ ip saddr . ip daddr }}
        tcp dport {ftp} update @pairs6 {{ ip6 saddr . ip6 daddr }}
        tcp dport {ftp} ip saddr . ip daddr != @pairs4 drop
        tcp dport {ftp} ip6 saddr . ip6 daddr != @pairs6 drop
        tcp dport {ftp} redirect to :{listen}
        tcp dport {first}-{last} ip saddr . ip daddr @pairs4 update @pairs4 {{ ip saddr . ip daddr }}
        tcp dport {first}-{last} ip6 saddr . ip6 daddr @pairs6 update @pairs6 {{ ip6 saddr . ip6 daddr }}
        tcp dport {first}-{last} ip saddr . ip daddr @pairs4 redirect
        tcp dport {first}-{last} ip6 saddr . ip6 daddr @pairs6 redirect
    }}

)";

constexpr std::string_view kOutput = R"(    chain output {{
        type nat hook output priority -100; policy accept;
        # The proxy's own connections (user {user}) go to the servers.
        meta skuid {uid} return
        meta l4proto tcp jump catch
    }}
}}
)";

constexpr std::string_view kPrerouting = R"(    chain prerouting {{
        type nat hook prerouting priority -100; policy accept;
        iifname "{interface}" meta l4proto tcp jump catch
    }}
}}
)";

// The proxy's own connections leave through other hooks, so they need no exception.
constexpr std::string_view kTproxy = R"(    chain prerouting {{
        type filter hook prerouting priority mangle; policy accept;
        iifname != "{interface}" return
        meta l4proto != tcp return
        # An FTP server on this machine itself is not meant.
        fib daddr type local return
        # What the proxy has a socket for already. Connections being set up match the second line only, or the last two.
        socket wildcard 0 socket transparent 1 meta mark set {mark} accept
        tcp dport {first}-{last} socket transparent 1 meta mark set {mark} accept
        meta nfproto ipv4 tcp dport {ftp} tproxy ip to :{listen} meta mark set {mark} accept
        meta nfproto ipv6 tcp dport {ftp} tproxy ip6 to :{listen} meta mark set {mark} accept
    }}
}}

# Packets with that mark are this machine's, whoever they are addressed to. To be run once, and after each boot:
#   ip rule add fwmark {mark} lookup {table}
#   ip route add local default dev lo table {table}
#   ip -6 rule add fwmark {mark} lookup {table}
#   ip -6 route add local default dev lo table {table}
# Undo it with:
#   ip rule del fwmark {mark}; ip route flush table {table}
#   ip -6 rule del fwmark {mark}; ip -6 route flush table {table}
)";

constexpr std::string_view kMark = "0x5afe";
constexpr unsigned kTable = 21210;

} // namespace

std::string write_rules(const TransparentRules& rules)
{
    using fmt::arg;
    const bool is_tproxy = rules.how == client::Interception::tproxy;
    std::string arguments = is_tproxy ? "=tproxy" : "";
    if (!rules.interface.empty())
        arguments += " --interface " + rules.interface;
    std::string text = fmt::format(kHead, arg("arguments", arguments));
    if (is_tproxy)
        return text + fmt::format(kTproxy, arg("interface", rules.interface), arg("ftp", rules.ftp_port),
            arg("listen", rules.listen_port), arg("first", rules.first_data_port), arg("last", rules.last_data_port),
            arg("mark", kMark), arg("table", kTable));
    text += fmt::format(kRedirect, arg("ftp", rules.ftp_port), arg("listen", rules.listen_port),
        arg("first", rules.first_data_port), arg("last", rules.last_data_port));
    if (!rules.interface.empty())
        return text + fmt::format(kPrerouting, arg("interface", rules.interface));
    return text + fmt::format(kOutput, arg("user", rules.user), arg("uid", rules.uid));
}

} // namespace safetp::bin
