#include "bin/transparent_serving.h"

#include "bin/connection.h"
#include "bin/transparent_rules.h"
#include "client/exit_codes.h"
#include "supervisor/address_argument.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>
#include <linux/capability.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

using client::Interception;

constexpr unsigned kFirstFreePort = 1024;

/// As the kernel takes them (dev_valid_name), without what nft(8) would read as more than a name.
bool is_interface_name(std::string_view name)
{
    constexpr std::size_t kLongest = 15;
    return !name.empty() && name.size() <= kLongest && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '@';
    });
}

std::optional<std::uint16_t> parse_port(std::string_view digits)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size())
        return std::nullopt;
    return port;
}

std::unexpected<Error> complain_of(const char* sentence) { return fail(ErrorCode::bad_config, 0, sentence); }

} // namespace

Result<std::optional<Interception>> find_interception(const ProxyArguments& arguments)
{
    if (arguments.transparent.empty()) {
        if (arguments.wants_rules || !arguments.interface.empty())
            return complain_of("--print-rules and --interface are for --transparent");
        return std::optional<Interception>();
    }
    if (arguments.transparent != "redirect" && arguments.transparent != "tproxy")
        return complain_of("--transparent is redirect, which need not be said, or tproxy");
    const Interception how = arguments.transparent == "tproxy" ? Interception::tproxy : Interception::redirect;
    if (!arguments.server.empty())
        return complain_of("--transparent and --server exclude each other: redirected clients have dialled their server");
    if (how == Interception::tproxy && arguments.interface.empty())
        return complain_of("--transparent=tproxy is for a gateway, so it needs --interface; this machine's own programs are "
                           "served by --transparent");
    if (!arguments.interface.empty() && !is_interface_name(arguments.interface))
        return complain_of("--interface is not the name of a network interface");
    const auto where = find_listen_endpoints(arguments);
    if (where && where->front().port == arguments.ftp_port)
        return complain_of("--listen must have another port than --port, the one that clients dial");
    return std::optional<Interception>(how);
}

Result<void> choose_data_ports(const ProxyArguments& arguments, client::Settings& settings)
{
    if (arguments.data_ports.empty()) {
        if (!arguments.transparent.empty())
            settings.config.data = {};
        return {};
    }
    const std::string_view text = arguments.data_ports;
    const std::size_t dash = text.find('-');
    const auto first = parse_port(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
    if (!first || !last || *first < kFirstFreePort || *last < *first)
        return complain_of("--data-ports takes FIRST-LAST, from 1024 to 65535");
    settings.config.data.first_port = *first;
    settings.config.data.last_port = *last;
    return {};
}

Result<std::vector<Endpoint>> find_listen_endpoints(const ProxyArguments& arguments)
{
    const auto where = supervisor::parse_address_argument(arguments.listen);
    if (!where)
        return std::unexpected(where.error());
    if (where->address)
        return std::vector{Endpoint{*where->address, where->port}};
    const bool is_gateway = !arguments.interface.empty();
    std::vector<Endpoint> all;
    for (const char* address : is_gateway ? std::array{"0.0.0.0", "::"} : std::array{"127.0.0.1", "::1"})
        all.push_back({IpAddress::parse(address).value(), where->port});
    return all;
}

int print_rules(const ProxyArguments& arguments, const std::optional<process::Identity>& user)
{
    client::Settings settings;
    if (const auto chosen = choose_data_ports(arguments, settings); !chosen)
        return complain(client::kExitUsage, describe(chosen.error()));
    const auto where = find_listen_endpoints(arguments);
    if (!where)
        return complain(client::kExitUsage, "--listen takes [ADDRESS:]PORT, with a port that is not 0");
    TransparentRules rules;
    rules.how = arguments.transparent == "tproxy" ? Interception::tproxy : Interception::redirect;
    rules.interface = arguments.interface;
    rules.ftp_port = arguments.ftp_port;
    rules.listen_port = where->front().port;
    rules.first_data_port = settings.config.data.first_port;
    rules.last_data_port = settings.config.data.last_port;
    const auto caller = process::find_user(::geteuid());
    rules.user = user ? user->name : caller ? caller->name : "of this command";
    rules.uid = user ? user->uid : ::geteuid();
    fmt::print("{}", write_rules(rules));
    return std::fflush(stdout) == 0 ? client::kExitOk : complain(client::kExitFailure, "the rules cannot be written");
}

Result<void> become_with_foreign_addresses(const process::Identity& identity)
{
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "PR_SET_KEEPCAPS");
    if (const auto became = process::become(identity); !became)
        return became;
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct kept[2]{};
    kept[0].effective = kept[0].permitted = 1u << CAP_NET_RAW;
    if (::syscall(SYS_capset, &header, kept) != 0)
        return fail(ErrorCode::system_call, errno, "keeping CAP_NET_RAW only");
    return {};
}

} // namespace safetp::bin
