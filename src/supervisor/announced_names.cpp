#include "supervisor/announced_names.h"

#include "base/log.h"
#include "process/records.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/wait.h>

namespace safetp::supervisor {

namespace {

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

/// What the helper says: one of the addresses of the host with this number.
struct AnnouncedAddress {
    std::uint32_t host;
    std::array<std::uint8_t, 4> address;
};

std::string encode(const std::vector<std::string>& hosts)
{
    process::RecordWriter writer;
    for (const std::string& host : hosts)
        writer.append_text(host);
    return writer.bytes();
}

void log_missing(const std::string& host, bool is_known)
{
    log::Event(log::Level::warning, 0, "announced-name",
        is_known ? "the announced name has no answer now, the old address stays"
                 : "the announced name has no IPv4 address now; clients are told the address that they have reached")
        .with("name", host);
}

} // namespace

// ---- one question

int announced_names_main(process::Helper& helper)
{
    // The name service decides whom it asks, and which files and modules it reads.
    if (!process::confine(helper, {.files = process::FileAccess::reading, .ports = std::nullopt, .calls = std::nullopt}))
        return EXIT_FAILURE;
    process::RecordReader hosts(helper.text);
    std::string host;
    for (std::uint32_t number = 0; hosts.take_text(host); ++number) {
        for (const IpAddress& address : look_up(host)) {
            const AnnouncedAddress record{number, address.ipv4_bytes()};
            if (!process::send_packet(helper.channel.get(), std::as_bytes(std::span(&record, 1))))
                return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

NameLookup::NameLookup(const std::vector<std::string>& hosts, process::IdentityChange identity) : NameLookup(hosts, UniqueFd())
{
    identity.root.clear(); // the name service reads /etc
    auto started = process::start_helper({.role = kAnnouncedNamesRole, .text = encode(hosts), .identity = std::move(identity)});
    if (!started)
        return;
    child_ = started->pid;
    in_ = std::move(started->channel);
}

NameLookup::NameLookup(const std::vector<std::string>& hosts, UniqueFd answers) : in_(std::move(answers))
{
    for (const std::string& host : hosts)
        names_.emplace_back(host, std::vector<IpAddress>());
}

NameLookup::~NameLookup()
{
    if (child_ <= 0)
        return;
    ::kill(child_, SIGKILL); // it has answered, or it is too late
    ::waitpid(child_, nullptr, 0);
}

bool NameLookup::read()
{
    for (;;) {
        AnnouncedAddress record{};
        const auto packet = process::receive_packet(in_.get(), std::as_writable_bytes(std::span(&record, 1)));
        if (packet && !*packet)
            return false;
        const bool is_sound = packet && (*packet)->bytes == sizeof record && record.host < names_.size();
        if (!is_sound || names_[record.host].second.size() >= kMostAddresses)
            return true; // the end, nonsense, or more than anybody needs
        names_[record.host].second.push_back(IpAddress::from_ipv4(record.address));
    }
}

bool NameLookup::on_child_end(pid_t pid)
{
    if (pid != child_)
        return false;
    child_ = -1;
    return true;
}

// ---- at the start and after a reload

AnnouncedNames resolve_announced(const std::vector<std::string>& hosts, const AnnouncedNames& previous,
    const process::IdentityChange& identity, std::chrono::milliseconds limit)
{
    AnnouncedNames names;
    std::vector<std::string> unknown;
    for (const std::string& host : hosts) {
        const auto known = std::ranges::find(previous, host, &AnnouncedNames::value_type::first);
        names.emplace_back(host, known != previous.end() ? known->second : std::vector<IpAddress>());
        if (names.back().second.empty())
            unknown.push_back(host);
    }
    if (unknown.empty())
        return names;
    NameLookup lookup(unknown, identity);
    const auto end = NameWatch::Clock::now() + limit;
    for (bool is_over = false; !is_over;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - NameWatch::Clock::now());
        pollfd ready{.fd = lookup.descriptor(), .events = POLLIN, .revents = 0};
        is_over = left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0 || lookup.read();
    }
    take_over(lookup.answer(), names);
    for (const auto& [host, addresses] : names) {
        if (addresses.empty())
            log_missing(host, false);
    }
    return names;
}

std::vector<std::size_t> take_over(const AnnouncedNames& answer, AnnouncedNames& names)
{
    std::vector<std::size_t> changed;
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto& [host, addresses] = names[i];
        const auto found = std::ranges::find(answer, host, &AnnouncedNames::value_type::first);
        if (found == answer.end() || found->second.empty())
            continue;
        const bool is_still_right
            = !addresses.empty() && std::ranges::find(found->second, addresses.front()) != found->second.end();
        if (is_still_right)
            continue;
        addresses = found->second;
        changed.push_back(i);
    }
    return changed;
}

// ---- from then on

void NameWatch::configure(AnnouncedNames names, const process::IdentityChange& identity)
{
    lookup_.reset();
    names_ = std::move(names);
    identity_ = identity;
    failing_.clear();
    for (const auto& [host, addresses] : names_) {
        if (addresses.empty())
            failing_.insert(host); // resolve_announced has said so
    }
    due_ = Clock::now(); // what was kept from before a reload may be old
}

std::optional<NameWatch::Clock::time_point> NameWatch::deadline() const
{
    return names_.empty() ? std::nullopt : std::optional(due_);
}

std::vector<std::size_t> NameWatch::look(Clock::time_point now)
{
    if (names_.empty())
        return {};
    if (!lookup_ && now < due_)
        return {};
    if (!lookup_) {
        std::vector<std::string> hosts;
        for (const auto& [host, addresses] : names_)
            hosts.push_back(host);
        lookup_.emplace(hosts, identity_);
        due_ = now + kLookupLimit;
        return {};
    }
    if (!lookup_->read() && now < due_)
        return {};
    const AnnouncedNames answer = lookup_->answer();
    lookup_.reset();
    note_failures(answer);
    auto changed = take_over(answer, names_);
    const bool is_unknown = std::ranges::any_of(names_, [](const auto& name) { return name.second.empty(); });
    due_ = now + (is_unknown ? kIntervalWhileUnknown : kInterval);
    return changed;
}

void NameWatch::note_failures(const AnnouncedNames& answer)
{
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string& host = names_[i].first;
        if (!answer[i].second.empty())
            failing_.erase(host);
        else if (failing_.insert(host).second)
            log_missing(host, !names_[i].second.empty());
    }
}

} // namespace safetp::supervisor
