// Sessions that must be under TLS, and their transfers.
#pragma once

#include "proxy/gateway.h"

#include <string>

namespace safetp::proxy::test {

class SessionTlsTest : public Gateway {
protected:
    SessionTlsTest() { listener_.security = config::Security::required; }

    /// The client's data connection, which offers to resume `session`.
    net::Task<bool> dial_data_by_tls(Endpoint target, SSL_SESSION* session)
    {
        client_data_ = dial(target);
        const bool is_secure = co_await client_data_->start_tls(client_context_.get(), session);
        co_return is_secure;
    }

    /// The command, up to the gateway's data connection with the server.
    net::Task<> begin_transfer(std::string command)
    {
        co_await client_->say(command);
        co_await server_->expect(command);
        server_data_ = co_await accept(server_data_listener_);
    }

    /// EPSV, `command`, and the client's handshake.
    net::Task<> begin_tls_transfer(std::string command, SSL_SESSION* session)
    {
        const Endpoint target = co_await passive();
        co_await begin_transfer(command);
        const bool is_secure = co_await dial_data_by_tls(target, session);
        EXPECT_TRUE(is_secure);
    }

    net::Task<> say_150()
    {
        co_await server_->say("150 begins");
        co_await client_->expect("150 begins");
    }

    /// From the 150 to the 226; the client gets all of `content`.
    net::Task<> finish_download(std::string content)
    {
        co_await say_150();
        co_await server_data_->write(content);
        server_data_->close();
        co_await server_->say("226 done");
        const std::string got = co_await client_data_->rest();
        EXPECT_EQ(got, content + "<end>");
        co_await client_->expect("226 done");
    }
};

} // namespace safetp::proxy::test
