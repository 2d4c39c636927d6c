// The way of a front door's session to its raw ftpd, and what comes from the server.
#include "base/log.h"
#include "proxy/server_line.h"
#include "proxy/session.h"

#include <utility>

namespace safetp::proxy {

using log::Level;

// The started raw ftpd sits at the other end of a loopback socket; over TCP it is asked on the address the client has used.
IpAddress Session::server_address() const
{
    const config::Server& server = environment_.config.server;
    if (!server.command.empty())
        return IpAddress::from_ipv4({127, 0, 0, 1});
    return server.address.value_or(local_.address);
}

net::Task<> Session::reach_server()
{
    connect_deadline_ = Clock::now() + environment_.config.timeouts.server_connect;
    arm_timer();
    const auto opened = co_await open_server_connection();
    connect_deadline_.reset();
    if (is_ending_)
        co_return;
    if (!opened) {
        log::Event(Level::error, number_, "server-unreachable", "the raw ftpd cannot be reached: " + describe(opened.error()));
        dialogue_.on_server_unreachable();
        drive();
        co_return;
    }
    net::enable_keepalive(server_->fd(), static_cast<int>(environment_.config.timeouts.keepalive.count()));
    net::disable_nagle(server_->fd());
    const auto server = peer_endpoint(server_->fd());
    const auto server_side = local_endpoint(server_->fd());
    if (!server || !server_side) {
        dialogue_.on_server_unreachable();
        drive();
        co_return;
    }
    log::Event(Level::debug, number_, "server-connected", "connected to the raw ftpd").with("server", server->to_string())
        .with("from", server_side->to_string());
    data_.set_peers({.client = peer_, .client_side = local_.address, .server = *server, .server_side = server_side->address});
    note_waiting();
}

net::Task<> Session::wait_at_doorstep()
{
    Doorstep* const doorstep = environment_.doorstep;
    if (doorstep == nullptr)
        co_return;
    while (!is_ending_ && !doorstep->has_room())
        co_await doorstep->wait_for_room();
    if (!is_ending_)
        doorstep_.emplace(*doorstep);
}

net::Task<Result<void>> Session::open_server_connection()
{
    const config::Server& server = environment_.config.server;
    if (server.command.empty()) {
        const Endpoint target{server_address(), server.port};
        co_await wait_at_doorstep();
        if (is_ending_)
            co_return fail(ErrorCode::peer_closed);
        co_return co_await net::connect(server_, environment_.executor, target, std::nullopt);
    }
    auto started = co_await environment_.start_server(number_, peer_.address, access_record_.get());
    if (!started)
        co_return std::unexpected(started.error());
    server_.emplace(environment_.executor, std::move(*started));
    co_return Result<void>();
}

// What was measured holds behind the greeting that was seen then: another one is another server.
void Session::look_at_greeting(std::string_view line)
{
    if (environment_.server_line == nullptr || greeting_.is_complete())
        return;
    greeting_.on_line(line);
    if (greeting_.is_welcome() && !environment_.server_line->is_known(greeting_.fingerprint()))
        environment_.server_line->measure(server_address());
}

void Session::limit_server_line()
{
    if (environment_.server_line != nullptr)
        policy_.server_line_bytes
            = environment_.server_line->limit(greeting_.is_welcome() ? greeting_.fingerprint() : 0);
}

// One line from the server's buffer to the dialogue; false when there is none.
bool Session::take_server_line()
{
    using LineKind = ftp::LineBuffer::Line::Kind;
    const auto line = server_lines_.next();
    if (line.kind == LineKind::none)
        return false;
    waiting_since_ = Clock::now();
    if (line.kind == LineKind::too_long) {
        dialogue_.on_server_line_too_long();
    } else {
        log_server_line(line.text);
        look_at_greeting(line.text);
        paths_.on_server_line(line.text);
        dialogue_.on_server_line(line.text);
    }
    return true;
}

tls::IoStep::Kind Session::read_from_server()
{
    const auto step = server_->stream().try_read(server_lines_.free_space());
    if (step.kind == tls::IoStep::Kind::done) {
        doorstep_.reset();
        server_lines_.commit(step.bytes);
    }
    return step.kind;
}

} // namespace safetp::proxy
