#include "block_list.h"

#include <cstdio>
#include <utility>

namespace safetp::bench {

namespace {

std::string dotted(std::uint32_t address)
{
    return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." + std::to_string(address >> 8 & 255)
        + "." + std::to_string(address & 255);
}

std::uint32_t prefix(std::uint32_t address, unsigned bits) { return address & 0xffffffffu << (32 - bits); }

/// None begins with 10.
std::uint32_t random_address(std::mt19937& dice)
{
    const auto first = static_cast<std::uint32_t>(dice() % 200 + 11);
    return first << 24 | static_cast<std::uint32_t>(dice() & 0xffffff);
}

/// One rule as block lists have them: of ten, six addresses, two nets of IPv4, two of IPv6. None begins with fd.
std::string block_rule(std::mt19937& dice)
{
    const std::uint32_t address = random_address(dice);
    char text[64];
    switch (dice() % 10) {
    case 0: {
        const auto bits = static_cast<unsigned>(16 + dice() % 16);
        return "ALL: " + dotted(prefix(address, bits)) + "/" + std::to_string(bits) + "\n";
    }
    case 1: return "ALL: " + dotted(prefix(address, 24)) + "/255.255.255.0\n";
    case 2:
        std::snprintf(text, sizeof text, "ALL: [2001:%x:%x::]/48\n", static_cast<unsigned>(dice() & 0xffff),
            static_cast<unsigned>(dice() & 0xffff));
        return text;
    case 3:
        std::snprintf(text, sizeof text, "ALL: [2001:%x:%x::%x]\n", static_cast<unsigned>(dice() & 0xffff),
            static_cast<unsigned>(dice() & 0xffff), static_cast<unsigned>(dice() & 0xffff));
        return text;
    default: return "ALL: " + dotted(address) + "\n";
    }
}

} // namespace

std::string random_ipv4(std::mt19937& dice) { return dotted(random_address(dice)); }

access::TableFiles block_list(long rules)
{
    std::mt19937 dice(1);
    access::TableFiles files;
    files.allow = {access::FileText::State::text, "safetpd: 10.1.2.3\n", 0};
    std::string text;
    for (long i = 0; i < rules; ++i)
        text += block_rule(dice);
    text += "safetpd: 10.9.9.9\n";
    files.deny = {access::FileText::State::text, std::move(text), 0};
    return files;
}

access::Outcome decide(const access::Tables& tables, const std::string& address)
{
    access::Request request;
    request.daemon = "safetpd";
    request.client_address = address;
    request.server_address = "10.0.0.1";
    request.client_port = 40000;
    request.server_port = 21;
    access::Evaluation evaluation(tables, std::move(request), access::Settings{});
    access::Step step = evaluation.start();
    while (std::holds_alternative<access::LookUp>(step))
        step = evaluation.learn(access::kUnknown);
    return std::get<access::Verdict>(step).outcome;
}

} // namespace safetp::bench
