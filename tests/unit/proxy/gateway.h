// A session between a scripted client and a scripted raw ftpd, all in one event loop: each test is one coroutine that plays
// both ends. Nothing in it waits for time.
#pragma once

#include "net/loop.h"
#include "net/loopback.h"
#include "proxy/peer.h"
#include "proxy/session.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace safetp::proxy::test {

using net::test::Loop;

class Gateway : public testing::Test {
protected:
    Gateway();
    ~Gateway() override;

    /// Begins a session, runs the script, closes the client's connection and waits for the session's end: one that does not
    /// end fails the test. The log of it is in log_ afterwards. `script` may be a lambda, since it lives until then.
    void play(const std::function<net::Task<>()>& script);

    // Parts of scripts.
    net::Task<> greet();       ///< the raw ftpd is reached and says "220 ready"
    net::Task<> log_in();      ///< greet, and USER is answered by 230
    net::Task<> log_in_by_tls(); ///< greet, AUTH TLS, login, PBSZ, PROT P
    /// What the client asks is passed on and answered, and the client sees the answer.
    net::Task<> relay(std::string command, std::string reply, source_location where = source_location::current());
    /// EPSV both ways. Gives where the client may come; the raw ftpd listens at server_data_listener_.
    net::Task<Endpoint> passive();
    net::Task<std::unique_ptr<Peer>> accept(const UniqueFd& listener);
    std::unique_ptr<Peer> dial(Endpoint target, IpAddress from);
    std::unique_ptr<Peer> dial(Endpoint target) { return dial(target, kHere); }
    /// passive(), `command` of the client's and 150; then client_data_ and server_data_ are connected.
    net::Task<> begin_transfer(std::string command);

    static inline const IpAddress kHere = IpAddress::from_ipv4({127, 0, 0, 1});

    config::Config config_;
    config::Listener listener_; ///< TLS is optional, unless the test says otherwise
    AnnouncedNames announced_names_;
    tls::ContextOptions tls_options_; ///< with a certificate of its own unless the test has named one

    Loop loop_;
    net::TaskGroup tasks_{loop_.executor()};
    std::unique_ptr<Peer> client_;
    std::unique_ptr<Peer> server_;
    std::unique_ptr<Peer> client_data_;
    std::unique_ptr<Peer> server_data_;
    UniqueFd server_listener_;
    UniqueFd server_data_listener_;
    std::optional<Session> session_;
    SslContext client_context_;
    std::string log_;

private:
    BufferPool buffers_;
    Xferlog xferlog_{UniqueFd()};
    std::optional<tls::ServerContext> tls_;
    std::optional<Front> front_;
    std::optional<Environment> environment_;
};

} // namespace safetp::proxy::test
