#include "config/values.h"

#include "base/zoned_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <ranges>
#include <strings.h>

namespace safetp::config {

namespace {

using std::chrono::seconds;

constexpr std::int64_t kHighestPort = 65535;
constexpr std::int64_t kLowestPassivePort = 1024;
constexpr std::size_t kMaxTextBytes = 1000;
constexpr std::string_view kTextForm = "a line of text in quotes";

std::string show(const Node& node)
{
    switch (node.kind) {
    case Node::Kind::text:
        return node.text.empty() ? "empty (leave the key out instead)" : in_quotes(node.text);
    case Node::Kind::integer:
        return std::to_string(node.number);
    case Node::Kind::boolean:
        return node.truth ? "true" : "false";
    case Node::Kind::list:
        return node.items.empty() ? "an empty list" : "a list";
    case Node::Kind::table:
        return "a table";
    case Node::Kind::other:
        break;
    }
    return node.text;
}

bool is_control(char character)
{
    const auto byte = static_cast<unsigned char>(character);
    return byte < 0x20 || byte == 0x7f;
}

bool is_line_of_text(const Node& node)
{
    return node.kind == Node::Kind::text && node.text.size() <= kMaxTextBytes && std::ranges::none_of(node.text, is_control);
}

/// Decimal digits and nothing else.
std::optional<std::int64_t> parse_digits(std::string_view text)
{
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.starts_with('-'))
        return std::nullopt;
    return number;
}

std::optional<std::int64_t> seconds_in_unit(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return std::nullopt;
    }
}

std::optional<seconds> parse_time_text(std::string_view text)
{
    if (text.size() < 2 || text.size() > 10)
        return std::nullopt;
    const auto unit = seconds_in_unit(text.back());
    const auto number = parse_digits(text.substr(0, text.size() - 1));
    if (!unit || !number)
        return std::nullopt;
    return seconds(*number * *unit); // nine digits of days fit
}

std::optional<seconds> parse_time(const Node& node)
{
    if (node.kind == Node::Kind::integer)
        return seconds(node.number);
    return node.kind == Node::Kind::text ? parse_time_text(node.text) : std::nullopt;
}

std::string show_time(seconds time)
{
    const auto count = time.count();
    if (count != 0 && count % 86400 == 0)
        return fmt::format("{}d", count / 86400);
    if (count != 0 && count % 3600 == 0)
        return fmt::format("{}h", count / 3600);
    if (count != 0 && count % 60 == 0)
        return fmt::format("{}m", count / 60);
    return fmt::format("{}s", count);
}

/// Labels of letters, digits and inner hyphens (RFC 1123 2.1). The last one is no number: that would be a mistyped address.
bool is_host_name(std::string_view name)
{
    if (name.empty() || name.size() > 253)
        return false;
    std::string_view label;
    while (true) {
        const auto dot = name.find('.');
        label = name.substr(0, dot);
        const bool is_ldh = std::ranges::all_of(label, [](unsigned char c) { return std::isalnum(c) || c == '-'; });
        if (label.empty() || label.size() > 63 || !is_ldh || label.front() == '-' || label.back() == '-')
            return false;
        if (dot == std::string_view::npos)
            break;
        name.remove_prefix(dot + 1);
    }
    return !std::ranges::all_of(label, [](unsigned char c) { return std::isdigit(c); });
}

bool may_be_announced(const std::string& text)
{
    const auto address = IpAddress::parse(text);
    if (address)
        return address->is_ipv4() && !address->is_unspecified() && !address->is_multicast_or_broadcast();
    return is_host_name(text);
}

} // namespace

void Slot::refuse(std::string_view wanted) const
{
    report.note_refused(path);
    report.error(node.line, fmt::format("{} must be {}, not {}", name, wanted, show(node)));
}

void read_bool(const Slot& slot, bool& out)
{
    if (slot.node.kind != Node::Kind::boolean)
        return slot.refuse("true or false, without quotes");
    out = slot.node.truth;
}

void read_number(const Slot& slot, std::int64_t least, std::int64_t most, unsigned& out)
{
    if (slot.node.kind != Node::Kind::integer || slot.node.number < least || slot.node.number > most)
        return slot.refuse(fmt::format("a whole number from {} to {}", least, most));
    out = static_cast<unsigned>(slot.node.number);
}

void read_port(const Slot& slot, std::uint16_t& out)
{
    unsigned port = out;
    read_number(slot, 1, kHighestPort, port);
    out = static_cast<std::uint16_t>(port);
}

std::optional<std::uint16_t> find_service_port(const std::string& name)
{
    servent entry{};
    servent* found = nullptr;
    std::array<char, 8192> buffer;
    if (::getservbyname_r(name.c_str(), "tcp", &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
        return std::nullopt;
    return ntohs(static_cast<std::uint16_t>(entry.s_port));
}

void read_service(const Slot& slot, std::uint16_t& out)
{
    if (slot.node.kind != Node::Kind::text)
        return read_port(slot, out);
    const auto port = is_line_of_text(slot.node) ? find_service_port(slot.node.text) : std::nullopt;
    if (port)
        out = *port;
    else if (slot.node.text != "raw-ftp") // the one name that needs no entry: 351, which stands in `out`
        slot.refuse("a port number, or the name of a tcp service in /etc/services");
}

void read_port_range(const Slot& slot, std::uint16_t& first, std::uint16_t& last)
{
    const std::string_view text = slot.node.text;
    const auto dash = text.find('-');
    if (slot.node.kind != Node::Kind::text || dash == std::string_view::npos)
        return slot.refuse("the first and the last port, as \"50000-50999\"");
    const auto low = parse_digits(text.substr(0, dash));
    const auto high = parse_digits(text.substr(dash + 1));
    if (!low || !high || *low > kHighestPort || *high > kHighestPort)
        return slot.refuse("two port numbers up to 65535, as \"50000-50999\"");
    if (*low < kLowestPassivePort)
        return slot.refuse("a range without the privileged ports below 1024");
    if (*low > *high)
        return slot.refuse(fmt::format("a range that begins with its lower port (\"{}-{}\")", *high, *low));
    first = static_cast<std::uint16_t>(*low);
    last = static_cast<std::uint16_t>(*high);
}

void read_text(const Slot& slot, std::string& out)
{
    if (!is_line_of_text(slot.node) || slot.node.text.empty())
        return slot.refuse(kTextForm);
    out = slot.node.text;
}

void read_path(const Slot& slot, std::string& out)
{
    if (!is_line_of_text(slot.node) || !slot.node.text.starts_with('/'))
        return slot.refuse("an absolute path, one that begins with /");
    out = slot.node.text;
}

void read_command(const Slot& slot, std::vector<std::string>& out)
{
    if (slot.node.kind != Node::Kind::list || slot.node.items.empty())
        return slot.refuse("a list of texts, the program first, as [\"/usr/sbin/in.ftpd\", \"-l\"]");
    std::vector<std::string> command;
    for (const Node& word : slot.node.items) {
        const Slot at{word, slot.path, slot.name, slot.report};
        if (!is_line_of_text(word))
            return at.refuse("a list of texts in quotes");
        command.push_back(word.text);
    }
    if (!command.front().starts_with('/'))
        return Slot{slot.node.items.front(), slot.path, "the program of " + slot.name, slot.report}.refuse(
            "an absolute path, one that begins with /");
    out = std::move(command);
}

void read_address(const Slot& slot, std::optional<IpAddress>& out)
{
    const auto zoned = slot.node.kind == Node::Kind::text ? ZonedAddress::parse(slot.node.text) : fail(ErrorCode::bad_address);
    if (!zoned || zoned->address.is_multicast_or_broadcast())
        return slot.refuse("an IPv4 or IPv6 address of one machine, as \"192.0.2.1\" or \"2001:db8::1\"");
    const auto address = zoned->resolve();
    if (!address && zoned->zone.empty())
        return slot.refuse("a link-local address with its interface, as \"fe80::1%eth0\"");
    if (!address)
        return slot.refuse("an address on an interface that is there");
    out = *address;
}

void read_network(const Slot& slot, Network& out)
{
    const auto network = slot.node.kind == Node::Kind::text ? Network::parse(slot.node.text) : fail(ErrorCode::bad_address);
    if (!network)
        return slot.refuse("a network or an address, as \"10.0.0.0/8\" or \"192.0.2.1\"");
    out = *network;
}

void read_daemon_name(const Slot& slot, std::string& out)
{
    // What would not be one word of a daemon list, or would be read as a port, an address or a wildcard there.
    const std::string_view name = slot.node.text;
    const auto is_fit = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
    const bool is_word = std::ranges::all_of(name, is_fit);
    const bool is_number = std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); });
    if (!is_line_of_text(slot.node) || !is_word || is_number || name.starts_with('.') || name.ends_with('.'))
        return slot.refuse("a name for the rules of hosts.allow: letters, digits, \".\", \"_\" and \"-\", but no number, as "
                           "\"safetpd\"");
    for (const std::string_view word : {"ALL", "EXCEPT", "KNOWN"})
        if (name.size() == word.size() && ::strncasecmp(name.data(), word.data(), word.size()) == 0)
            return slot.refuse(fmt::format("a name that means nothing else in hosts.allow (as {} does)", word));
    out = slot.node.text;
}

void read_announced(const Slot& slot, std::string& out)
{
    if (slot.node.kind != Node::Kind::text || !may_be_announced(slot.node.text))
        return slot.refuse("the IPv4 address or the host name that clients shall connect to (a 227 reply holds no IPv6)");
    out = slot.node.text;
}

void read_time(const Slot& slot, seconds least, seconds most, seconds& out)
{
    const auto time = parse_time(slot.node);
    if (!time || *time < least || *time > most)
        return slot.refuse(fmt::format("a time from {} to {}, as \"15s\", \"5m\", \"2h\" or a whole number of seconds",
            show_time(least), show_time(most)));
    out = *time;
}

void read_rate(const Slot& slot, std::int64_t most, seconds longest, Rate& out)
{
    const std::string_view text = slot.node.kind == Node::Kind::text ? std::string_view(slot.node.text) : "";
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::int64_t count = parse_digits(text.substr(0, slash)).value_or(0);
    const seconds time = slash == text.size() ? seconds(0) : parse_time_text(text.substr(slash + 1)).value_or(seconds(0));
    if (count < 1 || count > most || time < seconds(1) || time > longest)
        return slot.refuse(fmt::format("how many in which time, 1 to {} in 1s to {}, as \"120/1m\"", most, show_time(longest)));
    out = {static_cast<unsigned>(count), time};
}

void read_startups(const Slot& slot, std::optional<Startups>& out)
{
    constexpr std::int64_t kMost = 1'000'000;
    std::vector<std::int64_t> numbers;
    for (const auto part : std::views::split(std::string_view(slot.node.text), ':'))
        numbers.push_back(parse_digits(std::string_view(part)).value_or(-1));
    const bool is_good = slot.node.kind == Node::Kind::text && numbers.size() == 3 && numbers[0] >= 1 && numbers[1] >= 0
        && numbers[1] <= 100 && numbers[2] >= numbers[0] && numbers[2] <= kMost;
    if (!is_good)
        return slot.refuse("where refusing begins, with how many percent, and where all are refused, as \"500:30:1000\"");
    out = Startups{static_cast<unsigned>(numbers[0]), static_cast<unsigned>(numbers[1]), static_cast<unsigned>(numbers[2])};
}

std::optional<std::size_t> read_word(const Slot& slot, std::span<const std::string_view> words)
{
    const auto found = std::ranges::find(words, std::string_view(slot.node.text));
    if (slot.node.kind == Node::Kind::text && found != words.end())
        return static_cast<std::size_t>(found - words.begin());
    slot.refuse(fmt::format("one of \"{}\"", fmt::join(words, "\", \"")));
    return std::nullopt;
}

} // namespace safetp::config
