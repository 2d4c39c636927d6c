#include "explain/explain.h"

#include "explain/settled_tables.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <unistd.h>

namespace safetp::explain {

namespace {

std::vector<IpAddress> find_addresses(const std::string& name)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM; // each address once
    addrinfo* list = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0)
        return {};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
    std::vector<IpAddress> addresses;
    for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
        SocketAddress found;
        std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen, reinterpret_cast<char*>(&found.storage));
        found.length = entry->ai_addrlen;
        if (const auto endpoint = from_socket_address(found))
            addresses.push_back(endpoint->address);
    }
    return addresses;
}

bool is_in_netgroup(const std::string& group, const std::string& host)
{
    std::array<char, 256> domain{};
    const bool has_domain = ::getdomainname(domain.data(), domain.size() - 1) == 0 && domain[0] != '\0' && domain[0] != '(';
    return ::innetgr(group.c_str(), host.c_str(), nullptr, has_domain ? domain.data() : nullptr) != 0;
}

/// Lines of a banner, one after the other.
std::string banner_text(std::string_view banner, std::string_view before)
{
    std::string text;
    while (!banner.empty()) {
        std::string_view line = banner.substr(0, banner.find('\n'));
        banner.remove_prefix(std::min(line.size() + 1, banner.size()));
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        text += fmt::format("{}\"{}{}\"", text.empty() ? "" : ", ", before, printable(line));
    }
    return text;
}

std::string seen_from_gateway(const Case& asked, const Answer& answer)
{
    const bool is_strict = asked.reading == access::Reading::strict;
    if (answer.is_granted)
        return answer.banner.empty() ? "the greeting" : banner_text(answer.banner, is_strict ? "" : "220-") + ", the greeting";
    const std::string wait
        = asked.refusal == config::Refusal::delay ? fmt::format("after {} s ", asked.refusal_delay.count()) : "";
    const bool has_reply = asked.refusal == config::Refusal::reply || (!is_strict && !answer.banner.empty());
    std::string text = banner_text(answer.banner, is_strict ? "" : "421-");
    if (has_reply)
        text += std::string(text.empty() ? "" : ", ") + "\"421 Connection refused by this server's access rules.\"";
    return wait + text + (text.empty() ? "" : ", then ") + "the end of the connection";
}

} // namespace

std::string seen_by_client(const Case& asked, const Answer& answer)
{
    if (answer.verdict.outcome == access::Outcome::twisted && answer.refusal.empty())
        return fmt::format("what this command writes: {}", printable(answer.verdict.twist));
    if (asked.daemon.is_gateway)
        return seen_from_gateway(asked, answer);
    const std::string banner = answer.banner.empty() ? "" : banner_text(answer.banner, "") + ", then ";
    return banner + (answer.is_granted ? "the daemon" : "after 5 s the end of the connection");
}

Explanation explain_case(
    const Case& asked, const access::TableFiles& files, const Services& services, bool is_json, bool has_colours)
{
    const std::vector<std::byte> image = access::compile(files, asked.reading);
    const auto tables = access::Tables::open(image);
    if (!tables)
        return {fmt::format("safetpd: {}\n", describe(tables.error())), kExitDenied};
    std::vector<Answer> answers;
    for (const access::Request& request : asked.requests) {
        if (asked.is_enabled) {
            answers.push_back(judge(*tables, request, asked.daemon, services));
            continue;
        }
        Answer unasked;
        unasked.request = request;
        unasked.is_granted = true;
        unasked.verdict.outcome = access::Outcome::granted;
        answers.push_back(std::move(unasked));
    }
    const bool all = std::ranges::all_of(answers, &Answer::is_granted);
    return {is_json ? as_json(asked, answers) : as_text(asked, answers, has_colours), all ? kExitGranted : kExitDenied};
}

int explain(const Question& question, const config::Config& config)
{
    auto asked = understand(question, config, question.no_lookup ? FindAddresses() : find_addresses);
    if (!asked) {
        fmt::print(stderr, "safetpd explain: {}\n", asked.error().text);
        return asked.error().exit_code;
    }
    Services services;
    if (!question.no_lookup) {
        services.find_name = [time = asked->lookup_time](const IpAddress& address) {
            return time.count() == 0 ? wrapper::look_up_name(address) : wrapper::look_up_name_within(address, time);
        };
        services.is_in_netgroup = is_in_netgroup;
    }
    const std::vector<std::string> daemons{asked->requests.front().daemon};
    const wrapper::Snapshot snapshot = read_settled_tables(asked->paths, asked->reading, daemons);
    for (const std::string& path : snapshot.unsettled)
        asked->notes.push_back(path + " is being written just now: ask again");
    const bool has_colours = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    const Explanation explanation = explain_case(*asked, snapshot.files, services, question.is_json, has_colours);
    fmt::print("{}", explanation.text);
    return explanation.exit_code;
}

} // namespace safetp::explain
