#include "setup/sockets_file.h"

#include "setup/root.h"
#include "setup/text.h"

#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <netinet/in.h>
#include <set>

namespace safetp::setup {

namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text, int base)
{
    T value{};
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && rest == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// "0100007F:015F": words of the address as this machine holds them in memory, and the port.
std::optional<Endpoint> parse_endpoint(std::string_view text)
{
    const std::size_t colon = text.find(':');
    if (colon != 8 && colon != 32)
        return std::nullopt;
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 16);
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t word = 0; word < colon / 8; ++word) {
        const auto value = parse_number<std::uint32_t>(text.substr(word * 8, 8), 16);
        if (!value)
            return std::nullopt;
        std::memcpy(bytes.data() + word * 4, &*value, 4);
    }
    if (!port)
        return std::nullopt;
    if (colon == 8)
        return Endpoint{IpAddress::from_ipv4({bytes[0], bytes[1], bytes[2], bytes[3]}), *port};
    return Endpoint{IpAddress::from_ipv6(bytes), *port};
}

Owner describe_process(const Root& machine, const std::string& pid)
{
    const std::string place = "/proc/" + pid;
    Owner owner;
    owner.pid = parse_number<pid_t>(pid, 10).value_or(0);
    if (const auto name = machine.read(place + "/comm"); name && *name)
        owner.name = trim((*name)->substr(0, (*name)->find('\n')));
    owner.program = machine.read_link(place + "/exe").value_or("");
    if (const auto words = machine.read(place + "/cmdline"); words && *words) {
        for (std::string_view rest = **words; !rest.empty();) {
            const std::size_t end = std::min(rest.find('\0'), rest.size());
            owner.arguments.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return owner;
}

/// "socket:[4711]" -> 4711
std::optional<std::uint64_t> socket_inode(const std::string& link)
{
    static constexpr std::string_view kPrefix = "socket:[";
    if (!link.starts_with(kPrefix) || !link.ends_with(']'))
        return std::nullopt;
    return parse_number<std::uint64_t>(std::string_view(link).substr(kPrefix.size(), link.size() - kPrefix.size() - 1), 10);
}

} // namespace

SocketLines parse_sockets(std::string_view text)
{
    static constexpr std::string_view kListen = "0A", kEstablished = "01";
    SocketLines sockets;
    for (const Line& line : split_lines(text)) {
        const auto words = split_words(line.text);
        if (words.size() < 10 || (words[3].text != kListen && words[3].text != kEstablished))
            continue;
        const auto endpoint = parse_endpoint(words[1].text);
        const auto inode = parse_number<std::uint64_t>(words[9].text, 10);
        if (endpoint && inode)
            (words[3].text == kListen ? sockets.listening : sockets.connected).push_back({*endpoint, *inode});
    }
    return sockets;
}

std::vector<Listener> find_listeners()
{
    const Root machine;
    std::vector<Listener> listeners;
    std::map<std::uint64_t, std::size_t> by_inode;
    std::set<std::uint64_t> connected;
    for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        const auto text = machine.read(file);
        const SocketLines sockets = parse_sockets(text && *text ? **text : std::string());
        for (const SocketLine& socket : sockets.listening) {
            by_inode.emplace(socket.inode, listeners.size());
            listeners.push_back({socket.endpoint, {}});
        }
        for (const SocketLine& socket : sockets.connected)
            connected.insert(socket.inode);
    }
    for (const std::string& pid : machine.list("/proc")) {
        if (!parse_number<pid_t>(pid, 10))
            continue;
        const std::string descriptors = "/proc/" + pid + "/fd";
        std::vector<std::size_t> held;
        bool is_session = false;
        for (const std::string& fd : machine.list(descriptors)) {
            const auto link = machine.read_link(descriptors + "/" + fd);
            const auto inode = link ? socket_inode(*link) : std::nullopt;
            is_session = is_session || (inode && connected.contains(*inode));
            if (const auto found = inode ? by_inode.find(*inode) : by_inode.end(); found != by_inode.end())
                held.push_back(found->second);
        }
        for (const std::size_t index : held) {
            listeners[index].owners.push_back(describe_process(machine, pid));
            listeners[index].owners.back().is_session = is_session;
        }
    }
    return listeners;
}

} // namespace safetp::setup
