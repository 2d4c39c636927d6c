#include "supervisor/worker.h"

#include "base/log.h"
#include "net/sockets.h"
#include "net/tasks.h"
#include "proxy/server_line.h"
#include "proxy/session.h"
#include "supervisor/generation.h"
#include "supervisor/refusal_log.h"
#include "supervisor/worker_access.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <exception>
#include <map>
#include <unistd.h>
#include <utility>

namespace safetp::supervisor {

namespace {

using log::Level;
using tls::IoStep;

constexpr std::chrono::seconds kFarewell{2}; ///< for what sessions that are cut off have to say; the supervisor waits for five

class Worker {
public:
    explicit Worker(WorkerStart start);
    int run();

private:
    void measure_server_line();
    net::Task<> accept_clients(ListeningSocket listening);
    void receive(std::size_t listener, net::Accepted accepted);
    void refuse(std::size_t listener, const net::Accepted& accepted, SharedCounters::Refusal refusal);
    net::Task<> serve(std::size_t listener, UniqueFd client, Endpoint peer, std::optional<SharedCounters::Place> place);
    net::Task<> obey_supervisor();
    void obey(ReceivedNotice received);
    void announce(std::size_t place, std::uint32_t bytes);
    net::Task<> leave_after(std::chrono::seconds time);
    net::Task<Result<UniqueFd>> start_server(std::uint64_t session, const IpAddress& client, const proxy::AccessRecord* record);
    void on_login(std::uint64_t session);
    void tell_end_of(std::uint64_t session, bool was_logged_in);
    net::Task<> send_waiting_notes();
    net::Task<> reach_syslogd();
    void stop_accepting();
    void leave_if_done();

    asio::io_context io_{1}; // first: what its tasks refer to must go after them, and they have all ended by then
    WorkerStart start_;
    AnnouncedNames announced_names_ = start_.announced_names;
    proxy::BufferPool buffers_;
    proxy::Xferlog xferlog_;
    proxy::Doorstep doorstep_;
    proxy::Environment environment_;
    std::vector<proxy::Front> fronts_;
    struct Serving {
        proxy::Session* session;
        std::optional<SharedCounters::Place>* place;
        bool was_logged_in = false;
    };
    std::map<std::uint64_t, Serving> sessions_;
    RefusalLog refusals_;
    std::deque<Request> waiting_notes_; ///< to the supervisor, whose queue was full
    std::vector<net::Channel*> listeners_;
    net::Channel supervisor_;
    Inquiries inquiries_;
    bool is_draining_ = false;
    net::TaskGroup tasks_;
    WorkerAccess access_;
    std::optional<proxy::ServerLine> server_line_; ///< none: what the configuration says counts, or what is safe anywhere
};

Worker::Worker(WorkerStart start)
    : start_(std::move(start))
    , xferlog_(std::move(start_.xferlog))
    , doorstep_(io_.get_executor(),
          std::max<std::ptrdiff_t>(1, proxy::Doorstep::kPlaces / worker_count(start_.generation.config)))
    , environment_{.executor = io_.get_executor(),
          .config = start_.generation.config,
          .announced_names = announced_names_,
          .buffers = buffers_,
          .xferlog = xferlog_,
          .start_server = [this](std::uint64_t session, const IpAddress& client, const proxy::AccessRecord* record) {
              return start_server(session, client, record);
          },
          .access = start_.generation.config.access.enabled ? &access_ : nullptr,
          .doorstep = &doorstep_,
          .on_probe_end = [this] { tell_end_of(0, false); },
          .on_login = [this](std::uint64_t session) { on_login(session); },
          .worker = static_cast<std::uint16_t>(start_.slot)}
    , supervisor_(io_.get_executor(), std::move(start_.supervisor))
    , inquiries_(io_.get_executor(), supervisor_.fd())
    , tasks_(io_.get_executor())
    , access_(io_.get_executor(), start_.generation.config.access, inquiries_, tasks_)
{
    const config::Config& config = start_.generation.config;
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        const config::Listener& listener = config.listeners[i];
        fronts_.push_back({listener, &start_.generation.contexts[i], proxy::make_policy(config, listener)});
    }
    // With -s each session has a process of its own: none would profit from what it measures.
    if (start_.generation.line_limits && !start_.only_client) {
        server_line_.emplace(environment_, *start_.generation.line_limits, tasks_);
        environment_.server_line = &*server_line_;
    }
}

int Worker::run()
{
    log::ask_for_syslogd_with([this] { tasks_.spawn("system log", reach_syslogd()); });
    tasks_.spawn("supervisor", obey_supervisor());
    measure_server_line();
    for (const ListeningSocket& listening : start_.listeners)
        tasks_.spawn("accept", accept_clients(listening));
    if (start_.only_client) {
        const auto peer = peer_endpoint(start_.only_client.get());
        if (!peer)
            return 1;
        tasks_.spawn("session", serve(0, std::move(start_.only_client), *peer, std::nullopt));
        is_draining_ = true;
    }
    io_.run();
    return 0;
}

// Before the first session, where it is known without a client where the raw ftpd is.
void Worker::measure_server_line()
{
    const config::Server& server = start_.generation.config.server;
    if (server_line_ && (server.address || !server.command.empty()))
        server_line_->measure(server.address.value_or(IpAddress::from_ipv4({127, 0, 0, 1})));
}

// ---- clients

net::Task<> Worker::accept_clients(ListeningSocket listening)
{
    net::Channel listener(environment_.executor, UniqueFd(listening.fd));
    listeners_.push_back(&listener);
    net::Timer pause(environment_.executor);
    while (!is_draining_) {
        auto accepted = net::try_accept(listener.fd());
        if (!accepted) {
            // Out of descriptors or memory: accepting at once again would only spin (accept(2), EMFILE).
            log::Event(Level::error, 0, "accept-failed", describe(accepted.error()) + "; accepting again in a second");
            pause.expires_after(std::chrono::seconds(1));
            co_await net::wait(pause);
            continue;
        }
        if (!accepted->fd) {
            co_await listener.wait(IoStep::Kind::want_read);
            continue;
        }
        receive(listening.listener, std::move(*accepted));
        co_await net::yield(environment_.executor);
    }
    std::erase(listeners_, &listener);
}

void Worker::receive(std::size_t listener, net::Accepted accepted)
{
    auto place = start_.counters.admit(start_.slot, accepted.peer.address, start_.generation.config.limits);
    if (!place)
        return refuse(listener, accepted, place.error());
    tasks_.spawn("session", serve(listener, std::move(accepted.fd), accepted.peer, std::move(*place)));
}

void Worker::refuse(std::size_t listener, const net::Accepted& accepted, SharedCounters::Refusal refusal)
{
    if (const auto left_out = refusals_.take_line(net::Clock::now())) {
        log::Event event(Level::warning, 0, "refused", std::string("refused: ") + to_string(refusal));
        event.with("client", accepted.peer.address);
        if (*left_out != 0)
            event.with("not_logged", *left_out);
    }
    if (!fronts_[listener].listener.implicit_tls) {
        const std::string_view reply = reply_to(refusal);
        const auto ignored = ::send(accepted.fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        static_cast<void>(ignored); // a client that cannot take one line is not owed it
    }
}

net::Task<> Worker::serve(
    std::size_t listener, UniqueFd client, Endpoint peer, std::optional<SharedCounters::Place> place)
{
    const std::uint64_t number = start_.counters.next_session_number();
    try {
        proxy::Session session(environment_, fronts_[listener], number, std::move(client), peer);
        sessions_.emplace(number, Serving{&session, &place});
        co_await session.run();
        tell_end_of(number, sessions_.at(number).was_logged_in);
        sessions_.erase(number);
    } catch (const std::exception& error) {
        // Out of memory, or a mistake of ours: the session's tasks still refer to what is gone, so the process ends with it.
        log::Event(Level::error, number, "internal-error", std::string("worker ends: ") + error.what());
        ::_exit(1);
    }
    place.reset();
    leave_if_done();
}

void Worker::on_login(std::uint64_t session)
{
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || std::exchange(found->second.was_logged_in, true))
        return;
    if (*found->second.place)
        (*found->second.place)->log_in();
}

// ---- the supervisor

net::Task<> Worker::obey_supervisor()
{
    while (supervisor_.is_open()) {
        auto received = receive_notice(supervisor_.fd());
        if (!received) {
            log::Event(Level::error, 0, "supervisor-gone", "the supervisor is gone, worker ends");
            ::_exit(1);
        }
        if (*received)
            obey(std::move(**received));
        else
            co_await supervisor_.wait(IoStep::Kind::want_read);
    }
}

void Worker::obey(ReceivedNotice received)
{
    const Notice& notice = received.notice;
    switch (notice.kind) {
    case NoticeKind::answer: return inquiries_.take(std::move(received));
    case NoticeKind::drain: stop_accepting(); return leave_if_done();
    case NoticeKind::finish:
        stop_accepting();
        tasks_.spawn("drain limit", leave_after(std::chrono::seconds(notice.value)));
        for (const auto& [number, serving] : std::map(sessions_))
            serving.session->drain();
        return leave_if_done();
    case NoticeKind::reopen_log: return xferlog_.reopen(std::move(received.passed));
    case NoticeKind::announced_name: return announce(notice.id, notice.value);
    }
}

void Worker::announce(std::size_t place, std::uint32_t bytes)
{
    if (place < announced_names_.size())
        announced_names_[place].second = {IpAddress::from_ipv4(std::bit_cast<std::array<std::uint8_t, 4>>(bytes))};
}

net::Task<> Worker::leave_after(std::chrono::seconds time)
{
    net::Timer timer(environment_.executor, net::Clock::now() + time);
    co_await net::wait(timer);
    log::Event(Level::warning, 0, "drain-timeout", "the time to drain is over, sessions are ended")
        .with("sessions", sessions_.size());
    for (const auto& [number, serving] : std::map(sessions_))
        serving.session->cut_off();
    timer.expires_after(kFarewell);
    co_await net::wait(timer);
    ::_exit(0);
}

void Worker::stop_accepting()
{
    is_draining_ = true;
    for (net::Channel* listener : listeners_)
        listener->close();
}

void Worker::leave_if_done()
{
    if (is_draining_ && sessions_.empty())
        io_.stop();
}

net::Task<Result<UniqueFd>> Worker::start_server(
    std::uint64_t session, const IpAddress& client, const proxy::AccessRecord* record)
{
    std::optional<Facts> facts;
    if (record != nullptr) {
        facts = to_facts(*record);
        if (!facts)
            co_return fail(ErrorCode::supervisor, E2BIG, "starting the raw ftpd");
    }
    Request request{facts ? RequestKind::start_server_for : RequestKind::start_server};
    request.session = session;
    request.client = to_bytes(client);
    auto answer = co_await inquiries_.ask(request, facts ? &*facts : nullptr);
    if (!answer.passed)
        co_return fail(ErrorCode::supervisor, answer.os_error, "starting the raw ftpd");
    co_return std::move(answer.passed);
}

void Worker::tell_end_of(std::uint64_t session, bool was_logged_in)
{
    if (start_.generation.config.server.command.empty())
        return;
    Request note{RequestKind::session_end};
    note.session = session;
    note.is_logged_in = was_logged_in;
    waiting_notes_.push_back(note);
    if (waiting_notes_.size() == 1)
        tasks_.spawn("notes to the supervisor", send_waiting_notes());
}

// Each arrives, or the raw ftpd of its session would never be ended: the supervisor's queue may be full for a moment.
net::Task<> Worker::send_waiting_notes()
{
    while (!waiting_notes_.empty()) {
        const auto sent = send_request(supervisor_.fd(), waiting_notes_.front());
        if (!sent && (sent.error().os_error == EAGAIN || sent.error().os_error == EWOULDBLOCK))
            co_await supervisor_.wait(IoStep::Kind::want_write);
        else
            waiting_notes_.pop_front(); // where it cannot be sent the supervisor is gone, which obey_supervisor() sees
    }
}

// It was stopped or started anew: the supervisor can find it again, we cannot.
net::Task<> Worker::reach_syslogd()
{
    net::Timer pause(environment_.executor);
    for (;;) {
        auto answer = co_await inquiries_.ask({RequestKind::system_log});
        if (answer.passed)
            co_return log::give_syslogd(std::move(answer.passed));
        pause.expires_after(std::chrono::seconds(1));
        co_await net::wait(pause);
    }
}

} // namespace

int run_worker(WorkerStart start)
{
    // Never destroyed: the process ends with it, and the frames of tasks that still wait refer to it.
    auto* const worker = new Worker(std::move(start));
    return worker->run();
}

} // namespace safetp::supervisor
