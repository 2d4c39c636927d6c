#include "proxy/gateway.h"

#include "tls/support.h"

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace safetp::proxy::test {

using net::test::value_of;

namespace {

/// Made once for the test program, since keys take time.
const tls::CertificateFiles& identity()
{
    static const tls::test::TemporaryDirectory directory;
    static const auto files = value_of(tls::ensure_self_made_identity(directory.path(), {"localhost"}));
    return files;
}

std::uint16_t port_in(const std::string& epsv_reply)
{
    const auto bars = epsv_reply.find("|||");
    std::uint16_t port = 0;
    if (bars != std::string::npos)
        std::from_chars(epsv_reply.data() + bars + 3, epsv_reply.data() + epsv_reply.size(), port);
    EXPECT_NE(port, 0) << epsv_reply;
    return port;
}

} // namespace

Gateway::Gateway()
{
    ::signal(SIGPIPE, SIG_IGN); // as in a worker
    server_listener_ = net::test::listening_socket({kHere, 0});
    config_.server.address = kHere;
    config_.server.port = value_of(local_endpoint(server_listener_.get())).port;
    config_.data.first_port = config_.data.last_port = 0; // the kernel's choice, so that tests can run at once
    listener_.security = config::Security::optional;
    // No limit runs out by itself: a test sets the one that it is about to none at all.
    constexpr std::chrono::hours kNever{24};
    config_.timeouts = {kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever};
    client_context_.reset(SSL_CTX_new(TLS_client_method()));
}

Gateway::~Gateway() = default;

void Gateway::play(const std::function<net::Task<>()>& script)
{
    if (tls_options_.certificates.empty())
        tls_options_.certificates = {identity()};
    tls_.emplace(value_of(tls::ServerContext::make(tls_options_)));
    front_.emplace(Front{listener_, &*tls_, make_policy(config_, listener_)});
    environment_.emplace(Environment{loop_.executor(), config_, announced_names_, buffers_, xferlog_, {}, access_});
    const UniqueFd front_door = net::test::listening_socket({kHere, 0});
    UniqueFd client = net::test::connected_socket(value_of(local_endpoint(front_door.get())), {kHere, 0});
    client_ = std::make_unique<Peer>(loop_.executor(), std::move(client));
    UniqueFd accepted(::accept4(front_door.get(), nullptr, nullptr, SOCK_CLOEXEC));
    net::test::require(static_cast<bool>(accepted), "accept");
    const Endpoint peer = value_of(peer_endpoint(accepted.get()));
    session_.emplace(*environment_, *front_, 1, std::move(accepted), peer);

    testing::internal::CaptureStderr();
    tasks_.spawn("session", session_->run());
    std::string thrown;
    try {
        loop_.run(script());
        client_->close();
        loop_.run(tasks_.all_done());
    } catch (const std::exception& error) {
        thrown = error.what();
    }
    log_ = testing::internal::GetCapturedStderr();
    if (!thrown.empty()) { // what still runs borrows from what is about to go: there is no way on from here
        std::cerr << thrown << ", after this log:\n" << log_;
        std::abort();
    }
}

net::Task<std::unique_ptr<Peer>> Gateway::accept(const UniqueFd& listener)
{
    net::Channel waiter(loop_.executor(), UniqueFd(::dup(listener.get())));
    co_await waiter.wait(tls::IoStep::Kind::want_read);
    UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    co_return std::make_unique<Peer>(loop_.executor(), std::move(accepted));
}

std::unique_ptr<Peer> Gateway::dial(Endpoint target, IpAddress from)
{
    return std::make_unique<Peer>(loop_.executor(), net::test::connected_socket(target, {from, 0}));
}

net::Task<> Gateway::greet()
{
    server_ = co_await accept(server_listener_);
    co_await server_->say("220 ready");
    co_await client_->expect("220 ready");
}

net::Task<> Gateway::relay(std::string command, std::string reply, source_location where)
{
    co_await client_->say(command);
    co_await server_->expect(command, where);
    co_await server_->say(reply);
    co_await client_->expect(reply, where);
}

net::Task<> Gateway::log_in()
{
    co_await greet();
    co_await relay("USER joe", "331 password?");
    co_await relay("PASS secret-word", "230 in");
}

net::Task<> Gateway::log_in_by_tls()
{
    co_await greet();
    co_await client_->say("AUTH TLS");
    co_await client_->expect("234 Ready for TLS.");
    const bool is_secure = co_await client_->start_tls(client_context_.get());
    EXPECT_TRUE(is_secure);
    co_await relay("USER joe", "331 password?");
    co_await relay("PASS secret-word", "230 in");
    co_await client_->say("PBSZ 0");
    co_await client_->expect("200 PBSZ=0");
    co_await client_->say("PROT P");
    co_await client_->expect("200 Data connections are private.");
}

net::Task<Endpoint> Gateway::passive()
{
    server_data_listener_ = net::test::listening_socket({kHere, 0});
    const auto port = value_of(local_endpoint(server_data_listener_.get())).port;
    co_await client_->say("EPSV");
    co_await server_->expect("EPSV");
    co_await server_->say("229 here (|||" + std::to_string(port) + "|)");
    const std::string reply = co_await client_->line();
    co_return Endpoint{kHere, port_in(reply)};
}

net::Task<> Gateway::begin_transfer(std::string command)
{
    const Endpoint target = co_await passive();
    client_data_ = dial(target);
    co_await client_->say(command);
    co_await server_->expect(command);
    server_data_ = co_await accept(server_data_listener_);
    co_await server_->say("150 begins");
    co_await client_->expect("150 begins");
}

} // namespace safetp::proxy::test
