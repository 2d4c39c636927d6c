// A worker that speaks no FTP: each client is greeted with "PID GREETING", then sends one-word commands. It stands in for
// run_worker so that the supervisor can be tested without sessions.
#include "supervisor/messages.h"
#include "supervisor/worker.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

void say(int fd, const std::string& text)
{
    [[maybe_unused]] const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

/// Waits for the supervisor's answer, and gives the raw ftpd's whole output to the client.
void relay_server(int client, int supervisor)
{
    pollfd entry{supervisor, POLLIN, 0};
    ::poll(&entry, 1, 30'000);
    const auto answer = receive_notice(supervisor);
    if (!answer || !*answer)
        return say(client, "no answer\n");
    const ReceivedNotice& received = **answer;
    if (received.notice.os_error != 0)
        return say(client, fmt::format("errno {}\n", received.notice.os_error));
    char buffer[4096];
    pollfd output{received.passed.get(), POLLIN, 0};
    while (::poll(&output, 1, 30'000) == 1) {
        const ssize_t got = ::read(received.passed.get(), buffer, sizeof buffer);
        if (got <= 0)
            break;
        say(client, std::string(buffer, static_cast<std::size_t>(got)));
    }
}

/// The errno of a connection to this machine's port.
int connect_to(std::uint16_t port)
{
    const SocketAddress address = to_socket_address({*IpAddress::parse("127.0.0.1"), port});
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), address.get(), address.length) != 0 ? errno : 0;
}

class StandIn {
public:
    explicit StandIn(WorkerStart start) : start_(std::move(start))
    {
        if (start_.only_client)
            greet(std::move(start_.only_client));
    }

    int run()
    {
        while (!(is_draining_ || start_.listeners.empty()) || !clients_.empty()) {
            std::vector<pollfd> entries{{start_.supervisor.get(), POLLIN, 0}};
            for (const ListeningSocket& listener : start_.listeners)
                entries.push_back({is_draining_ ? -1 : listener.fd, POLLIN, 0});
            for (const UniqueFd& client : clients_)
                entries.push_back({client.get(), POLLIN, 0});
            ::poll(entries.data(), entries.size(), -1);
            for (std::size_t i = 0; i < clients_.size(); ++i) {
                if (entries[i + 1 + start_.listeners.size()].revents != 0)
                    obey(clients_[i]);
            }
            std::erase_if(clients_, [](const UniqueFd& fd) { return !fd; });
            for (std::size_t i = 0; i < start_.listeners.size(); ++i) {
                if (entries[i + 1].revents != 0)
                    greet(UniqueFd(::accept4(start_.listeners[i].fd, nullptr, nullptr, SOCK_CLOEXEC)));
            }
            if (entries[0].revents != 0 && !heed_supervisor())
                return 3;
        }
        return 0;
    }

private:
    void greet(UniqueFd client)
    {
        if (!client)
            return;
        say(client.get(), fmt::format("{} {}\n", ::getpid(), start_.generation.config.greeting));
        clients_.push_back(std::move(client));
    }

    bool heed_supervisor()
    {
        auto notice = receive_notice(start_.supervisor.get());
        if (!notice)
            return false;
        if (!*notice)
            return true;
        const NoticeKind kind = (*notice)->notice.kind;
        if (kind == NoticeKind::reopen_log)
            start_.xferlog = std::move((*notice)->passed);
        if (kind == NoticeKind::drain || kind == NoticeKind::finish) {
            is_draining_ = true;
            for (const ListeningSocket& listener : start_.listeners)
                ::close(listener.fd);
        }
        if (kind == NoticeKind::finish && (*notice)->notice.value == 0)
            clients_.clear();
        return true;
    }

    void obey(UniqueFd& client)
    {
        char buffer[256];
        const ssize_t got = ::read(client.get(), buffer, sizeof buffer);
        if (got <= 0)
            return client.reset();
        std::string word(buffer, static_cast<std::size_t>(got));
        word.resize(word.find_last_not_of("\r\n") + 1);
        if (word == "ping")
            say(client.get(), "pong\n");
        if (word == "open")
            say(client.get(), fmt::format("errno {}\n", ::open("/etc/passwd", O_RDONLY) < 0 ? errno : 0));
        if (word == "udp")
            say(client.get(), fmt::format("errno {}\n", ::socket(AF_INET, SOCK_DGRAM, 0) < 0 ? errno : 0));
        for (const int protocol : {IPPROTO_SCTP, IPPROTO_MPTCP})
            if (word == fmt::format("protocol {}", protocol))
                say(client.get(), fmt::format("errno {}\n", ::socket(AF_INET, SOCK_STREAM, protocol) < 0 ? errno : 0));
        if (word.starts_with("connect "))
            say(client.get(), fmt::format("errno {}\n", connect_to(static_cast<std::uint16_t>(std::stoi(word.substr(8))))));
        if (word == "exec")
            ::execl("/bin/true", "true", static_cast<char*>(nullptr));
        if (word == "uid")
            say(client.get(), fmt::format("uid {}\n", ::getuid()));
        if (word == "xfer")
            say(client.get(), fmt::format("wrote {}\n", ::write(start_.xferlog.get(), "x\n", 2)));
        if (word == "bad")
            ::send(start_.supervisor.get(), "?", 1, MSG_NOSIGNAL);
        if (word == "server") {
            [[maybe_unused]] const auto sent = send_request(start_.supervisor.get(), {RequestKind::start_server, 1});
            relay_server(client.get(), start_.supervisor.get());
            client.reset();
        }
        if (word == "flood")
            flood(client.get());
        if (word == "exit 5")
            ::_exit(5);
    }

    /// Asks for raw ftpds, faster than they can be started, and takes every answer, until it is killed.
    [[noreturn]] void flood(int client)
    {
        constexpr unsigned kMostUnanswered = 100; // who does not read its answers is ended for that
        for (unsigned asked = 0, answered = 0;;) {
            if (asked - answered < kMostUnanswered && send_request(start_.supervisor.get(), {RequestKind::start_server, 1}))
                ++asked;
            const auto answer = receive_notice(start_.supervisor.get());
            if (answer && *answer && ++answered == 1)
                say(client, "it rises\n");
        }
    }

    WorkerStart start_;
    std::vector<UniqueFd> clients_;
    bool is_draining_ = false;
};

} // namespace

int run_worker(WorkerStart start) { return StandIn(std::move(start)).run(); }

} // namespace safetp::supervisor
