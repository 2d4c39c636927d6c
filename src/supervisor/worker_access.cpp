#include "supervisor/worker_access.h"

#include "base/log.h"
#include "net/tasks.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/socket.h>

namespace safetp::supervisor {

using log::Level;

namespace {

constexpr std::chrono::milliseconds kPause{10};

template <std::size_t size>
bool set_text(char (&to)[size], const std::string& text)
{
    if (text.size() >= size)
        return false;
    std::memcpy(to, text.c_str(), text.size() + 1);
    return true;
}

LookupRequest name_request(const IpAddress& address)
{
    LookupRequest request{};
    request.kind = LookupKind::name;
    request.is_ipv6 = address.is_ipv4() ? 0 : 1;
    request.scope = address.scope();
    std::ranges::copy(address.bytes(), request.address);
    return request;
}

/// Texts of another process: they end within their place or there.
template <std::size_t size>
std::string get_text(const char (&text)[size])
{
    return std::string(text, ::strnlen(text, size));
}

} // namespace

std::optional<Facts> to_facts(const proxy::AccessRecord& record)
{
    Facts facts{};
    facts.version = record.version;
    const access::Request& request = record.request;
    facts.client_port = request.client_port.value_or(0);
    facts.server_port = request.server_port.value_or(0);
    facts.process_id = request.process_id;
    facts.is_name_known = request.client_name ? 1 : 0;
    const std::string name = request.client_name ? *request.client_name : record.client_name.value_or(access::kUnknown);
    const bool fits = set_text(facts.daemon, request.daemon) && set_text(facts.client_address, request.client_address)
        && set_text(facts.server_address, request.server_address) && set_text(facts.client_name, name)
        && set_text(facts.server_name, record.server_name.value_or(access::kUnknown))
        && set_text(facts.client_user, record.client_user.value_or(access::kUnknown))
        && record.answers.size() <= Facts::kMaxAnswers;
    if (!fits)
        return {};
    facts.answer_count = static_cast<std::uint32_t>(record.answers.size());
    std::ranges::copy(record.answers, facts.answers);
    return facts;
}

WorkerAccess::WorkerAccess(
    net::Executor executor, const config::Access& config, Inquiries& inquiries, net::TaskGroup& tasks)
    : executor_(executor)
    , config_(config)
    , inquiries_(inquiries)
    , tasks_(tasks)
{
}

// ---- the tables

net::Task<std::shared_ptr<const proxy::TableImage>> WorkerAccess::tables(proxy::AccessWait& wait)
{
    Waiter waiter(executor_);
    next_.push_back(&waiter);
    if (!is_asking_) {
        is_asking_ = true;
        tasks_.spawn("access tables", ask_for_tables());
    }
    co_await wait.wait(waiter.done);
    std::erase(asked_, &waiter);
    std::erase(next_, &waiter);
    co_return waiter.image;
}

// One question answers everybody who came before it was asked: an edit that a client may count on has come before the client.
net::Task<> WorkerAccess::ask_for_tables()
{
    while (!next_.empty()) {
        asked_.swap(next_);
        auto answer = co_await inquiries_.ask({RequestKind::tables, 0, image_ ? image_->version() : 0});
        while (answer.os_error == EAGAIN) { // the queue is full of other requests: it moves
            net::Timer pause(executor_, net::Clock::now() + kPause);
            co_await net::wait(pause);
            answer = co_await inquiries_.ask({RequestKind::tables, 0, image_ ? image_->version() : 0});
        }
        take_tables(std::move(answer));
        for (Waiter* waiter : std::exchange(asked_, {})) {
            waiter->image = image_;
            waiter->done.notify();
        }
    }
    is_asking_ = false;
}

void WorkerAccess::take_tables(Inquiries::Answer answer)
{
    if (answer.os_error != 0) {
        image_.reset(); // why, the supervisor has logged
        return;
    }
    if (!answer.passed)
        return;
    auto mapped = proxy::TableImage::map(answer.passed.get(), answer.version);
    if (!mapped)
        log::Event(Level::error, 0, "access-table", "the access tables cannot be used: " + describe(mapped.error()));
    image_ = mapped ? std::move(*mapped) : nullptr;
}

// ---- names and netgroups

net::Task<wrapper::NameFinding> WorkerAccess::find_name(IpAddress address, proxy::AccessWait& wait)
{
    const auto answer = co_await look_up(name_request(address), wait);
    if (!answer)
        co_return wrapper::NameFinding{access::kUnknown, {}};
    co_return wrapper::NameFinding{get_text(answer->value), get_text(answer->warning)};
}

net::Task<bool> WorkerAccess::is_in_netgroup(std::string group, std::string host, proxy::AccessWait& wait)
{
    LookupRequest request{};
    request.kind = LookupKind::netgroup;
    if (!set_text(request.group, group) || !set_text(request.host, host))
        co_return false; // no netgroup has such a name
    const auto answer = co_await look_up(request, wait);
    co_return answer && answer->is_member != 0;
}

net::Task<std::optional<LookupAnswer>> WorkerAccess::look_up(LookupRequest request, proxy::AccessWait& wait)
{
    // The process may die meanwhile, and one that is dying may be given another line. One that dies of the question dies twice:
    // then the supervisor gives no line for a while.
    static constexpr int kTries = 100;
    const auto deadline = net::Clock::now() + config_.lookup_time;
    request.deadline_ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.time_since_epoch()).count();
    for (int i = 0; i < kTries && co_await have_line(wait); ++i) {
        Question question(executor_);
        request.id = next_question_++;
        if (::send(line_->fd(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
            co_return std::nullopt; // more questions wait than anybody could answer in time
        questions_.emplace(request.id, &question);
        const bool is_in_time = co_await wait.wait(question.done);
        questions_.erase(request.id);
        if (!is_in_time || question.answer)
            co_return question.answer;
        net::Timer pause(executor_, net::Clock::now() + kPause);
        co_await net::wait(pause);
    }
    co_return std::nullopt;
}

net::Task<bool> WorkerAccess::have_line(proxy::AccessWait& wait)
{
    if (line_)
        co_return true;
    Waiter waiter(executor_);
    line_waiters_.push_back(&waiter);
    if (!is_opening_) {
        is_opening_ = true;
        tasks_.spawn("resolver line", open_line());
    }
    co_await wait.wait(waiter.done);
    std::erase(line_waiters_, &waiter);
    co_return line_.has_value() && !wait.is_stopped();
}

net::Task<> WorkerAccess::open_line()
{
    Inquiries::Answer answer = co_await inquiries_.ask({RequestKind::resolver});
    if (answer.passed) {
        line_.emplace(executor_, std::move(answer.passed));
        tasks_.spawn("resolver answers", read_answers());
    }
    is_opening_ = false;
    for (Waiter* waiter : std::exchange(line_waiters_, {}))
        waiter->done.notify();
}

net::Task<> WorkerAccess::read_answers()
{
    for (;;) {
        LookupAnswer answer;
        const ssize_t got = ::recv(line_->fd(), &answer, sizeof answer, MSG_DONTWAIT);
        if (got == sizeof answer) {
            if (const auto found = questions_.find(answer.id); found != questions_.end()) {
                found->second->answer = answer;
                found->second->done.notify();
            }
        } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            co_await line_->wait(tls::IoStep::Kind::want_read);
        } else {
            break;
        }
    }
    line_.reset();
    for (const auto& [id, question] : questions_)
        question->done.notify(); // without an answer: they ask the next process
}

// ---- commands

net::Task<std::optional<int>> WorkerAccess::run_command(const proxy::AccessRecord& record, proxy::AccessWait& wait)
{
    const auto facts = to_facts(record);
    if (!facts)
        co_return std::nullopt;
    const auto answer = co_await inquiries_.ask({RequestKind::run_command, 0, record.version}, &*facts, -1, &wait);
    if (answer.os_error != 0)
        co_return std::nullopt;
    co_return static_cast<int>(answer.value);
}

net::Task<bool> WorkerAccess::twist(const proxy::AccessRecord& record, int client, proxy::AccessWait& wait)
{
    const auto facts = to_facts(record);
    if (!facts)
        co_return false;
    const auto answer = co_await inquiries_.ask({RequestKind::twist, 0, record.version}, &*facts, client, &wait);
    co_return answer.os_error == 0;
}

// ---- refusals and warnings

bool WorkerAccess::take_refusal_slot()
{
    if (refusal_slots_taken_ >= config_.refusal_slots)
        return false;
    ++refusal_slots_taken_;
    return true;
}

bool WorkerAccess::is_first_warning(std::uint64_t version, const std::string& text)
{
    if (std::exchange(warned_version_, version) != version)
        warned_.clear();
    return warned_.insert(text).second;
}

} // namespace safetp::supervisor
