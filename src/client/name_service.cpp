#include "client/name_service.h"

#include "base/zoned_address.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
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
constexpr std::chrono::seconds kPatience{20}; // the time in line included
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

namespace {

Result<std::vector<IpAddress>> result_of(const AnswerMessage& message)
{
    std::vector<IpAddress> addresses;
    for (std::size_t i = 0; i < message.count && i < kMaxAddresses; ++i) {
        const auto& [is_ipv4, raw, scope] = message.addresses[i];
        addresses.push_back(
            is_ipv4 ? IpAddress::from_ipv4({raw[0], raw[1], raw[2], raw[3]}) : IpAddress::from_ipv6(raw, scope));
    }
    if (addresses.empty())
        return fail(message.error, 0, "lookup");
    return addresses;
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

NameService::NameService(const net::Executor& executor, UniqueFd helper, LookupLimits limits)
    : executor_(executor)
    , helper_(executor, std::move(helper))
    , limits_(limits)
{
}

net::Task<Result<std::vector<IpAddress>>> NameService::look_up(std::string host, std::string asker)
{
    if (const auto address = IpAddress::parse(host))
        co_return std::vector<IpAddress>{*address};
    if (host.empty() || host.size() > kMaxHostBytes || host.find('\0') != std::string::npos)
        co_return fail(ErrorCode::bad_address, 0, host);
    if (!helper_.is_open())
        co_return fail(ErrorCode::supervisor, 0, "the name helper is gone");
    Question question(executor_, std::move(asker));
    question.host = std::move(host);
    waiting_.push_back(&question);
    ask_next();
    const bool is_answered = co_await question.answered.wait_until(net::Clock::now() + kPatience);
    if (!is_answered)
        question.answer = fail(ErrorCode::timed_out, 0, "lookup");
    forget(question);
    co_return std::move(question.answer);
}

unsigned NameService::asked_for(std::string_view asker) const
{
    return static_cast<unsigned>(std::ranges::count(asked_, asker, [](const auto& entry) { return entry.second.asker; }));
}

void NameService::ask_next()
{
    while (asked_.size() < limits_.at_once && !waiting_.empty()) {
        const auto share = [this](const Question* question) { return asked_for(question->asker); };
        const auto next = std::ranges::min_element(waiting_, {}, share);
        if (share(*next) >= limits_.of_one_asker)
            return;
        Question& question = **next;
        waiting_.erase(next);
        ask(question);
    }
}

void NameService::ask(Question& question)
{
    QuestionMessage message{.id = next_++};
    std::ranges::copy(question.host, message.host.begin());
    if (!helper_.is_open() || ::send(helper_.fd(), &message, sizeof message, MSG_NOSIGNAL) != sizeof message) {
        question.answer = fail(ErrorCode::supervisor, errno, "the name helper does not listen");
        return question.answered.notify();
    }
    asked_[message.id] = {question.asker, &question};
}

void NameService::forget(const Question& question)
{
    std::erase(waiting_, &question);
    for (auto& [id, asked] : asked_) {
        if (asked.question == &question)
            asked.question = nullptr;
    }
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
        const auto found = asked_.find(message.id);
        if (found == asked_.end())
            continue;
        Question* const question = found->second.question;
        asked_.erase(found);
        ask_next();
        if (question == nullptr)
            continue;
        question->answer = result_of(message);
        question->answered.notify();
    }
    close();
}

void NameService::close()
{
    helper_.close();
    for (Question* question : waiting_)
        question->answered.notify();
    for (const auto& [id, asked] : asked_) {
        if (asked.question != nullptr)
            asked.question->answered.notify();
    }
}

} // namespace safetp::client
