// What workers ask of their supervisor.
#include "base/log.h"
#include "base/system_log.h"
#include "supervisor/service.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace safetp::supervisor {

namespace {

constexpr unsigned kRequestsInARow = 64;

bool is_of_access(RequestKind kind)
{
    return kind != RequestKind::start_server && kind != RequestKind::system_log && kind != RequestKind::session_end;
}

bool is_daemon(const config::Config& config, std::string_view name)
{
    const auto& listeners = config.listeners;
    return name == config.access.daemon
        || std::ranges::find(listeners, name, &config::Listener::daemon) != listeners.end();
}

} // namespace

void Service::serve_requests(Worker& worker)
{
    // A bounded number: one that asks without end must not keep us from signals and from the other workers.
    for (unsigned i = 0; i < kRequestsInARow && worker.channel; ++i) {
        auto received = receive_request(worker.channel.get());
        if (received && !*received)
            return;
        if (!received && received.error().code == ErrorCode::peer_closed) {
            worker.channel.reset(); // it is ending: SIGCHLD tells how
            return;
        }
        if (!received)
            return end_disobedient(worker, "worker is ended: " + describe(received.error()));
        answer(worker, **received);
    }
}

void Service::end_disobedient(Worker& worker, const std::string& why)
{
    log::Event(log::Level::error, 0, "bad-request", why).with("pid", worker.pid);
    table_.kill(worker);
}

void Service::answer(Worker& worker, ReceivedRequest& received)
{
    const Request& request = received.request;
    if (is_of_access(request.kind) && !config().access.enabled) {
        // A worker of an older configuration may still ask for what that one allowed: it learns that it is gone.
        if (worker.generation != generation_number_)
            return table_.send(worker, {NoticeKind::answer, request.id, ENOENT, 0});
        return end_disobedient(worker, "worker asks for access tables, but they are off: it is ended");
    }
    switch (request.kind) {
    case RequestKind::start_server: return start_server_for(worker, request, nullptr);
    case RequestKind::start_server_for: return start_server_for(worker, request, &received.facts);
    case RequestKind::tables: return tables_.ask({worker.pid, request.id, request.version});
    case RequestKind::resolver: return open_resolver_line(worker, request);
    case RequestKind::run_command:
    case RequestKind::twist: return run_rule_command(worker, received);
    case RequestKind::system_log: return give_system_log(worker, request);
    case RequestKind::session_end: return on_session_end(worker, request);
    }
}

void Service::start_server_for(Worker& worker, const Request& request, const Facts* facts)
{
    if (!prepared_.server_program) {
        if (worker.generation != generation_number_)
            return table_.send(worker, {NoticeKind::answer, request.id, ENOENT, 0});
        return end_disobedient(worker, "worker asks for a raw ftpd, but none is configured: it is ended");
    }
    const SessionName session{worker.pid, request.session};
    const IpAddress client = IpAddress::from_ipv6(request.client);
    if (!is_inetd() && !servers_.reserve(session, client, config().limits))
        return table_.send(worker, {NoticeKind::answer, request.id, EUSERS, 0});
    auto started = start_reserved_server(facts);
    if (!started) {
        servers_.give_back(session, client);
        log::Event(log::Level::error, 0, "server-start", describe(started.error()));
        const int error = started.error().os_error;
        return table_.send(worker, {NoticeKind::answer, request.id, error != 0 ? error : EIO, 0});
    }
    servers_.add(started->pid, session, client);
    table_.send(worker, {NoticeKind::answer, request.id, 0, 0}, started->our_end.get());
}

Result<StartedServer> Service::start_reserved_server(const Facts* facts) const
{
    const auto program = server_program(facts);
    if (!program)
        return std::unexpected(program.error());
    return start_server(*program);
}

void Service::on_session_end(const Worker& worker, const Request& request)
{
    auto grace = config().timeouts.server_end;
    if (request.is_logged_in == 0)
        grace = std::min(grace, StartedServers::kStrangers); // no file of anybody's is being written
    servers_.on_session_end({worker.pid, request.session}, grace);
}

Result<ServerProgram> Service::server_program(const Facts* facts) const
{
    ServerProgram program = *prepared_.server_program;
    if (facts == nullptr)
        return program;
    const int image = tables_.image(facts->version);
    if (image < 0 || !is_daemon(config(), facts->daemon))
        return fail(ErrorCode::supervisor, ESTALE, "the access tables that let the client in are gone");
    const auto effects = find_server_effects(image, *facts, prepared_.identity);
    if (!effects)
        return std::unexpected(effects.error());
    program.take(*effects);
    return program;
}

void Service::give_tables(const TableAnswer& answer)
{
    const auto worker = std::ranges::find(table_.workers(), answer.asker.worker, &Worker::pid);
    if (worker == table_.workers().end())
        return;
    table_.send(*worker, {NoticeKind::answer, answer.asker.id, answer.os_error, 0, answer.version}, answer.image);
}

void Service::open_resolver_line(Worker& worker, const Request& request)
{
    const auto line = resolver_.open_line();
    if (!line)
        log::Event(log::Level::error, 0, "resolver-start", describe(line.error()));
    const int error = line ? 0 : line.error().os_error;
    table_.send(worker, {NoticeKind::answer, request.id, line || error != 0 ? error : EIO, 0}, line ? line->get() : -1);
}

void Service::run_rule_command(Worker& worker, ReceivedRequest& received)
{
    const Request& request = received.request;
    if (!config().access.commands) {
        if (worker.generation != generation_number_)
            return table_.send(worker, {NoticeKind::answer, request.id, ENOENT, 0});
        return end_disobedient(worker, "worker asks for a rule's command, but commands are off: it is ended");
    }
    const int image = tables_.image(received.facts.version);
    Result<void> started = fail(ErrorCode::supervisor, ESTALE, "the access tables of the command are gone");
    if (image >= 0 && is_daemon(config(), received.facts.daemon))
        started = commands_.start({worker.pid, request.id}, request.kind, image, received.facts, std::move(received.passed));
    if (!started)
        log::Event(log::Level::error, 0, "access-command", describe(started.error()));
    const int error = started ? 0 : started.error().os_error;
    if (!started || request.kind == RequestKind::twist)
        table_.send(worker, {NoticeKind::answer, request.id, started || error != 0 ? error : EIO, 0});
}

// Whether or not the log goes there now: a worker of an older configuration keeps its own.
void Service::give_system_log(Worker& worker, const Request& request)
{
    const UniqueFd connection = log::connect_to_syslogd();
    const int error = connection ? 0 : errno;
    table_.send(worker, {NoticeKind::answer, request.id, error, 0}, connection.get());
}

/// True: the child was none of the workers.
bool Service::on_helper_end(pid_t pid, int status)
{
    if (tables_.on_child_end(pid, status) || resolver_.on_child_end(pid, status) || names_.on_child_end(pid))
        return true;
    const auto ended = commands_.on_child_end(pid, status);
    if (!ended)
        return false;
    if (!ended->asker)
        return true;
    const auto worker = std::ranges::find(table_.workers(), ended->asker->worker, &Worker::pid);
    if (worker != table_.workers().end())
        table_.send(*worker, {NoticeKind::answer, ended->asker->id, 0, static_cast<std::uint32_t>(ended->exit_status)});
    return true;
}

void Service::configure_access()
{
    if (const auto known = commands_.configure(config().access); !known)
        log::Event(log::Level::error, 0, "access-command", describe(known.error()));
    resolver_.configure(config().access, prepared_.identity);
    tables_.configure(config(), prepared_.identity);
}

} // namespace safetp::supervisor
