#include "setup/firewall.h"

#include "base/unique_fd.h"
#include "setup/systemd_units.h"
#include "setup/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace safetp::setup {

namespace {

/// How many nftables tables the kernel has in our network namespace; 0 also where it may not be asked.
int count_nft_tables()
{
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    struct {
        nlmsghdr header;
        nfgenmsg body;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.version = NFNETLINK_V0;
    const timeval limit{1, 0};
    if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0
        || ::send(socket.get(), &request, sizeof request, 0) != static_cast<ssize_t>(sizeof request))
        return 0;
    int tables = 0;
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    for (;;) {
        const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (count <= 0)
            return tables;
        for (std::size_t at = 0; at + sizeof(nlmsghdr) <= static_cast<std::size_t>(count);) {
            nlmsghdr header{};
            std::memcpy(&header, buffer.data() + at, sizeof header);
            if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR || header.nlmsg_len < sizeof header)
                return tables;
            tables += header.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
            at += (header.nlmsg_len + 3u) & ~3u;
        }
    }
}

} // namespace

std::vector<std::string> find_firewall(const Root& root)
{
    std::vector<std::string> signs;
    if (root.is_live()) {
        if (const int tables = count_nft_tables(); tables > 0)
            signs.push_back(fmt::format("nftables has {} table{}", tables, tables == 1 ? "" : "s"));
        for (const char* file : {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"}) {
            const auto names = root.read(file);
            if (names && *names && !trim(**names).empty())
                signs.push_back(fmt::format("{} is not empty", file));
        }
    }
    const std::string ufw = root.read_text("/etc/ufw/ufw.conf");
    for (const Line& line : split_lines(ufw)) {
        if (equals_ignoring_case(trim(line.text), "ENABLED=yes"))
            signs.emplace_back("ufw is enabled");
    }
    for (const Unit& unit : load_units(root)) {
        const bool is_one = unit.name == "nftables.service" || unit.name == "firewalld.service"
            || unit.name == "netfilter-persistent.service" || unit.name == "shorewall.service";
        if (is_one && unit.is_enabled && !unit.is_masked)
            signs.push_back(unit.name + " is enabled");
    }
    return signs;
}

} // namespace safetp::setup
