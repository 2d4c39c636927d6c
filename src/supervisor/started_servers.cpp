#include "supervisor/started_servers.h"

#include "base/log.h"

#include <algorithm>
#include <csignal>

namespace safetp::supervisor {

namespace {

/// It leads a session and a process group of its own (setsid(2)), in which its children are: vsftpd has two for each session.
void signal_group(pid_t server, int signal) { ::kill(-server, signal); }

} // namespace

bool StartedServers::reserve(const SessionName& session, const IpAddress& client, const config::Limits& limits)
{
    if (session.number != 0)
        return counters_.add_server(client, limits);
    return std::ranges::count_if(servers_, [](const auto& each) { return each.second.session.number == 0; }) < kProbes;
}

void StartedServers::give_back(const SessionName& session, const IpAddress& client)
{
    if (session.number != 0)
        counters_.remove_server(client);
}

void StartedServers::add(pid_t server, const SessionName& session, const IpAddress& client)
{
    servers_.insert_or_assign(server, Server{session, client, {}, false});
}

void StartedServers::end_soon(Server& server, std::chrono::seconds grace)
{
    const auto due = Clock::now() + (is_our_end_ ? std::min(grace, kAtOurEnd) : grace);
    if (!server.is_terminated)
        server.due = std::min(server.due.value_or(due), due);
}

void StartedServers::on_session_end(const SessionName& session, std::chrono::seconds grace)
{
    for (auto& [pid, server] : servers_)
        if (server.session == session)
            end_soon(server, grace);
}

void StartedServers::on_worker_end(pid_t worker, std::chrono::seconds grace)
{
    for (auto& [pid, server] : servers_)
        if (server.session.worker == worker)
            end_soon(server, grace);
}

void StartedServers::on_our_end()
{
    is_our_end_ = true;
    for (auto& [pid, server] : servers_)
        if (server.due)
            end_soon(server, kAtOurEnd);
}

bool StartedServers::on_child_end(pid_t pid)
{
    const auto found = servers_.find(pid);
    if (found == servers_.end())
        return false;
    give_back(found->second.session, found->second.client);
    servers_.erase(found);
    return true;
}

std::optional<StartedServers::Clock::time_point> StartedServers::deadline() const
{
    std::optional<Clock::time_point> next;
    for (const auto& [pid, server] : servers_)
        if (server.due)
            next = std::min(next.value_or(*server.due), *server.due);
    return next;
}

void StartedServers::on_deadline(Clock::time_point now)
{
    for (auto& [pid, server] : servers_) {
        if (!server.due || *server.due > now)
            continue;
        log::Event(log::Level::warning, server.session.number, "server-end",
            server.is_terminated ? "the started raw ftpd does not end on SIGTERM either and is killed"
                                 : "the started raw ftpd did not end with its session: SIGTERM")
            .with("pid", pid).with("client", server.client);
        signal_group(pid, server.is_terminated ? SIGKILL : SIGTERM);
        server.is_terminated = true;
        server.due = now + kKillAfter;
    }
}

void StartedServers::kill_all()
{
    for (const auto& [pid, server] : servers_)
        signal_group(pid, SIGKILL);
}

} // namespace safetp::supervisor
