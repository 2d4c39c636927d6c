#include "supervisor/announced_names.h"

#include "base/log.h"
#include "base/unique_fd.h"
#include "supervisor/landlock.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <linux/close_range.h>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

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

// The child: a line "number address" for each address of each host, in the hosts' order.
int answer_in_child(const std::vector<std::string>& hosts, int out)
{
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        for (const IpAddress& address : look_up(hosts[i])) {
            const std::string line = std::to_string(i) + " " + address.to_string() + "\n";
            if (::write(out, line.data(), line.size()) < 0)
                return 1;
        }
    }
    return 0;
}

[[noreturn]] void become_child(
    const std::vector<std::string>& hosts, int out, const WorkerIdentity& identity, pid_t supervisor)
{
    static constexpr int kOut = 3;
    static constexpr unsigned kDescriptors = 4; // in drop_privileges' measure, sessions
    const UniqueFd high(::fcntl(out, F_DUPFD_CLOEXEC, 10));
    if (::dup2(high.get(), kOut) < 0 || ::close_range(kOut + 1, ~0u, 0) != 0)
        ::_exit(2);
    if (!drop_privileges(identity, kDescriptors, supervisor))
        ::_exit(3);
    confine_helper(FileAccess::reading, std::nullopt); // the name service decides what it asks
    try {
        ::_exit(answer_in_child(hosts, kOut));
    } catch (const std::exception&) {
        ::_exit(4);
    }
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

NameLookup::NameLookup(std::vector<std::string> hosts, WorkerIdentity identity) : hosts_(std::move(hosts))
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    in_.reset(ends[0]);
    const UniqueFd out(ends[1]);
    identity.root.clear(); // the name service reads /etc
    const pid_t supervisor = ::getpid();
    child_ = ::fork();
    if (child_ == 0)
        become_child(hosts_, out.get(), identity, supervisor);
}

NameLookup::NameLookup(std::vector<std::string> hosts, UniqueFd answers) : hosts_(std::move(hosts)), in_(std::move(answers)) {}

NameLookup::~NameLookup()
{
    if (child_ <= 0)
        return;
    ::kill(child_, SIGKILL); // it has answered, or it is too late
    ::waitpid(child_, nullptr, 0);
}

bool NameLookup::read()
{
    char buffer[512];
    ssize_t bytes = 0;
    while ((bytes = ::read(in_.get(), buffer, sizeof buffer)) > 0) {
        text_.append(buffer, static_cast<std::size_t>(bytes));
        if (text_.size() >= kMostBytesOfAName * hosts_.size())
            return true; // what has come is more than anybody needs
    }
    return bytes == 0 || (errno != EAGAIN && errno != EINTR);
}

AnnouncedNames NameLookup::answer() const
{
    AnnouncedNames names;
    for (const std::string& host : hosts_)
        names.emplace_back(host, std::vector<IpAddress>());
    std::string_view text = text_;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        const std::string line(text.substr(0, end));
        text.remove_prefix(end + 1);
        const auto address = IpAddress::parse(line.substr(line.find(' ') + 1));
        const std::size_t index = std::strtoul(line.c_str(), nullptr, 10);
        if (address && address->is_ipv4() && index < names.size())
            names[index].second.push_back(*address);
    }
    return names;
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
    const WorkerIdentity& identity, std::chrono::milliseconds limit)
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

void NameWatch::configure(AnnouncedNames names, const WorkerIdentity& identity)
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
        lookup_.emplace(std::move(hosts), identity_);
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
