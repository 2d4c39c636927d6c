#include "supervisor/announced_names.h"

#include "base/log.h"
#include "base/unique_fd.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

using std::chrono::steady_clock;

std::vector<IpAddress> look_up(const std::string& host)
{
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0)
        return {};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> guard(found, ::freeaddrinfo);
    std::vector<IpAddress> addresses;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        SocketAddress address;
        std::copy_n(
            reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen, reinterpret_cast<char*>(&address.storage));
        if (const auto endpoint = from_socket_address(address))
            addresses.push_back(endpoint->address);
    }
    return addresses;
}

// The child: a line "number address" for each address of each host, in the hosts' order.
[[noreturn]] void answer(const std::vector<std::string>& hosts, int out)
{
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        for (const IpAddress& address : look_up(hosts[i])) {
            const std::string line = std::to_string(i) + " " + address.to_string() + "\n";
            if (::write(out, line.data(), line.size()) < 0)
                ::_exit(1);
        }
    }
    ::_exit(0);
}

std::string read_until(int in, steady_clock::time_point end)
{
    std::string text;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now());
        pollfd ready{.fd = in, .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0)
            return text;
        char buffer[512];
        const ssize_t bytes = ::read(in, buffer, sizeof buffer);
        if (bytes > 0)
            text.append(buffer, static_cast<std::size_t>(bytes));
        else if (bytes == 0 || errno != EINTR)
            return text;
    }
}

void take_answers(std::string_view text, AnnouncedNames& names)
{
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        const std::string line(text.substr(0, end));
        text.remove_prefix(end + 1);
        const auto space = line.find(' ');
        const auto address = IpAddress::parse(line.substr(space + 1));
        const std::size_t index = std::strtoul(line.c_str(), nullptr, 10);
        if (address && index < names.size())
            names[index].second.push_back(*address);
    }
}

} // namespace

AnnouncedNames resolve_announced(
    const std::vector<std::string>& hosts, const AnnouncedNames& previous, std::chrono::milliseconds limit)
{
    AnnouncedNames names;
    for (const std::string& host : hosts)
        names.emplace_back(host, std::vector<IpAddress>());
    int ends[2];
    if (hosts.empty() || ::pipe2(ends, O_CLOEXEC) != 0)
        return names;
    const UniqueFd in(ends[0]);
    UniqueFd out(ends[1]);
    const pid_t child = ::fork();
    if (child == 0)
        answer(hosts, out.get());
    out.reset();
    if (child > 0) {
        take_answers(read_until(in.get(), steady_clock::now() + limit), names);
        ::kill(child, SIGKILL); // it has answered, or it is too late
        ::waitpid(child, nullptr, 0);
    }
    for (auto& [host, addresses] : names) {
        if (!addresses.empty())
            continue;
        const auto known = std::ranges::find(previous, host, &AnnouncedNames::value_type::first);
        if (known != previous.end())
            addresses = known->second;
        log::Event(log::Level::warning, 0, "announced-name",
            addresses.empty() ? "the announced name has no IPv4 address now"
                              : "the announced name has no answer now, the old one stays")
            .with("name", host);
    }
    return names;
}

} // namespace safetp::supervisor
