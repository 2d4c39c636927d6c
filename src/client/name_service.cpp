#include "client/name_service.h"

#include "base/zoned_address.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace safetp::client {

namespace {

constexpr unsigned kLookupSeconds = 15;
constexpr std::size_t kMaxHostBytes = 255; // RFC 1035 section 2.3.4
constexpr std::size_t kMaxAddresses = 16;

struct QuestionMessage {
    std::uint32_t id = 0;
    std::array<char, kMaxHostBytes + 1> host{};
};

struct AnswerMessage {
    std::uint32_t id = 0;
    ErrorCode error = ErrorCode::timed_out;
    std::uint32_t count = 0;
    struct Address {
        bool is_ipv4 = true;
        std::array<std::uint8_t, 16> bytes{};
        std::uint32_t scope = 0;
    };
    std::array<Address, kMaxAddresses> addresses{};
};

// The child's, for its alarm.
int alarm_socket = -1;
AnswerMessage alarm_answer;

void on_alarm(int)
{
    const auto ignored = ::send(alarm_socket, &alarm_answer, sizeof alarm_answer, MSG_NOSIGNAL);
    static_cast<void>(ignored);
    ::_exit(1);
}

void add_addresses(const addrinfo* entry, AnswerMessage& answer)
{
    for (; entry != nullptr && answer.count < kMaxAddresses; entry = entry->ai_next) {
        SocketAddress address;
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.length = entry->ai_addrlen;
        if (const auto endpoint = from_socket_address(address)) {
            const IpAddress& found = endpoint->address;
            answer.addresses[answer.count++] = {found.is_ipv4(), found.bytes(), found.scope()};
        }
    }
}

[[noreturn]] void answer_in_child(int socket, const QuestionMessage& question)
{
    alarm_socket = socket;
    alarm_answer.id = question.id;
    std::signal(SIGALRM, on_alarm);
    ::alarm(kLookupSeconds);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(question.host.data(), nullptr, &hints, &found);
    AnswerMessage answer{.id = question.id};
    if (error == 0)
        add_addresses(found, answer);
    const bool is_unknown = error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY;
    answer.error = is_unknown ? ErrorCode::bad_address : ErrorCode::timed_out;
    const auto ignored = ::send(socket, &answer, sizeof answer, MSG_NOSIGNAL);
    static_cast<void>(ignored);
    ::_exit(0);
}

[[noreturn]] void help(int socket)
{
    const auto own = static_cast<unsigned>(socket);
    ::close_range(3, own - 1, 0); // listeners, logs: none of our business
    ::close_range(own + 1, ~0U, 0);
    std::signal(SIGCHLD, SIG_IGN); // children leave by themselves
    std::signal(SIGINT, SIG_IGN);  // the terminal's Ctrl-C is for the parent, whose end ends us
    std::signal(SIGTERM, SIG_DFL);
    for (;;) {
        QuestionMessage question;
        const ssize_t bytes = ::recv(socket, &question, sizeof question, 0);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes != sizeof question)
            ::_exit(0);
        question.host.back() = '\0';
        const pid_t child = ::fork();
        if (child == 0)
            answer_in_child(socket, question);
        if (child < 0) {
            const AnswerMessage answer{.id = question.id};
            const auto ignored = ::send(socket, &answer, sizeof answer, MSG_NOSIGNAL);
            static_cast<void>(ignored);
        }
    }
}

} // namespace

Result<UniqueFd> start_name_helper()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(ErrorCode::system_call, errno, "socketpair");
    UniqueFd ours(ends[0]);
    UniqueFd its(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return fail(ErrorCode::system_call, errno, "fork");
    if (child == 0) {
        ours.reset();
        help(its.get());
    }
    return ours;
}

NameService::NameService(const net::Executor& executor, UniqueFd helper)
    : executor_(executor)
    , helper_(executor, std::move(helper))
{
}

net::Task<Result<std::vector<IpAddress>>> NameService::look_up(std::string host)
{
    if (const auto address = parse_zoned_address(host))
        co_return std::vector<IpAddress>{*address};
    if (host.empty() || host.size() > kMaxHostBytes || host.find('\0') != std::string::npos)
        co_return fail(ErrorCode::bad_address, 0, host);
    Question question(executor_);
    QuestionMessage message{.id = next_++};
    std::ranges::copy(host, message.host.begin());
    if (!helper_.is_open() || ::send(helper_.fd(), &message, sizeof message, MSG_NOSIGNAL) != sizeof message)
        co_return fail(ErrorCode::supervisor, errno, "the name helper does not listen");
    asked_.emplace(message.id, &question);
    co_await question.answered.wait();
    asked_.erase(message.id);
    co_return std::move(question.answer);
}

net::Task<> NameService::run()
{
    while (helper_.is_open()) {
        AnswerMessage message;
        const ssize_t bytes = ::recv(helper_.fd(), &message, sizeof message, MSG_DONTWAIT);
        if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
            co_await helper_.wait(tls::IoStep::Kind::want_read);
            continue;
        }
        if (bytes != sizeof message)
            break;
        const auto waiting = asked_.find(message.id);
        if (waiting == asked_.end())
            continue;
        std::vector<IpAddress> addresses;
        for (std::size_t i = 0; i < message.count && i < kMaxAddresses; ++i) {
            const auto& [is_ipv4, raw, scope] = message.addresses[i];
            addresses.push_back(
                is_ipv4 ? IpAddress::from_ipv4({raw[0], raw[1], raw[2], raw[3]}) : IpAddress::from_ipv6(raw, scope));
        }
        if (addresses.empty())
            waiting->second->answer = fail(message.error, 0, "lookup");
        else
            waiting->second->answer = std::move(addresses);
        waiting->second->answered.notify();
    }
    close();
}

void NameService::close()
{
    helper_.close();
    for (const auto& [id, question] : asked_)
        question->answered.notify();
}

} // namespace safetp::client
