// Sessions without TLS: the two control connections, joined.
#include "proxy/gateway.h"

#include <asio/post.hpp>

namespace safetp::proxy {
namespace {

using net::Task;

class SessionTest : public test::Gateway {
protected:
    Task<> write_long_reply(unsigned megabytes, unsigned& written)
    {
        const std::string line = std::string(8190, 'x') + "\r\n";
        std::string megabyte;
        for (int i = 0; i < 128; ++i)
            megabyte += line;
        co_await server_->say("214-begin");
        for (; written < megabytes; ++written)
            co_await server_->write(megabyte);
        co_await server_->say("214 end");
    }

    /// Until the loop has gone round a thousand times without progress.
    Task<> let_others_run(const unsigned& progress)
    {
        for (unsigned seen = progress, idle = 0; idle < 1000; ++idle) {
            co_await net::yield(loop_.executor());
            if (std::exchange(seen, progress) != progress)
                idle = 0;
        }
    }
};

TEST_F(SessionTest, GreetsLogsInAndQuits)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await relay("SYST", "215 UNIX");
        co_await client_->say("QUIT");
        co_await server_->expect("QUIT");
        co_await server_->say("221 bye");
        co_await client_->expect("221 bye");
        co_await client_->expect("<end>");
        co_await server_->expect("<end>");
    });
    EXPECT_NE(log_.find("session ended: quit"), std::string::npos) << log_;
}

TEST_F(SessionTest, NoPasswordIsEverLogged)
{
    play([&]() -> Task<> {
        co_await greet();
        co_await relay("USER joe", "331 password?");
        co_await relay("PASS wrong-secret-word", "530 no");
        co_await relay("USER joe", "331 password?");
        co_await relay("PASS secret-word", "230 in");
    });
    EXPECT_EQ(log_.find("secret"), std::string::npos) << log_;
    EXPECT_NE(log_.find("joe"), std::string::npos);
}

TEST_F(SessionTest, TheClientsEndIsTheServersToo)
{
    play([&]() -> Task<> {
        co_await log_in();
        client_->close();
        co_await server_->expect("<end>");
    });
    EXPECT_NE(log_.find("session ended: client closed"), std::string::npos) << log_;
}

TEST_F(SessionTest, TheServersEndIsToldToTheClient)
{
    play([&]() -> Task<> {
        co_await log_in();
        server_->close();
        co_await client_->expect("421 The FTP server behind this gateway closed the connection.");
        co_await client_->expect("<end>");
    });
}

TEST_F(SessionTest, AServerThatIsNotThere)
{
    server_listener_.reset();
    play([&]() -> Task<> {
        co_await client_->expect("421 The FTP server behind this gateway cannot be reached, please try again later.");
        co_await client_->expect("<end>");
    });
    EXPECT_NE(log_.find("the raw ftpd cannot be reached"), std::string::npos) << log_;
}

// 421 and FIN, in this order, also where the client has sent what nobody reads any more: RST could overtake the 421.
TEST_F(SessionTest, TheFarewellArrivesThoughMuchIsUnread)
{
    config_.limits.bad_commands = 2;
    play([&]() -> Task<> {
        co_await greet();
        std::string many;
        for (int i = 0; i < 2000; ++i)
            many += "\x01\r\n";
        co_await client_->write(many);
        co_await client_->expect("500 Not an FTP command.");
        co_await client_->expect("500 Not an FTP command.");
        co_await client_->expect("421 Too many bad commands, closing.");
        co_await client_->expect("<end>");
    });
}

TEST_F(SessionTest, WhatWasPipelinedGoesToTheServerOneByOne)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await client_->write("CWD a\r\nCWD b\r\n");
        co_await server_->expect("CWD a");
        EXPECT_FALSE(server_->has_unread());
        co_await server_->say("250 a");
        co_await client_->expect("250 a");
        co_await server_->expect("CWD b");
        co_await server_->say("250 b");
        co_await client_->expect("250 b");
    });
}

TEST_F(SessionTest, ALineWithoutEndIsRefusedAndItsTailIsNoCommand)
{
    config_.limits.line_bytes = 100;
    play([&]() -> Task<> {
        co_await log_in();
        co_await client_->write(std::string(5000, 'x') + " DELE a\r\n");
        co_await client_->expect("500 Command line too long.");
        co_await relay("NOOP", "200 ok");
    });
}

TEST_F(SessionTest, AReplyLineWithoutEndEndsTheSession)
{
    config_.limits.reply_line_bytes = 100;
    play([&]() -> Task<> {
        co_await log_in();
        co_await client_->say("SYST");
        co_await server_->expect("SYST");
        co_await server_->write(std::string(5000, '2') + "\r\n");
        co_await client_->expect("421 The FTP server behind this gateway sent an endless line, closing.");
        co_await client_->expect("<end>");
    });
}

// Who asks for much and reads nothing must not fill our memory: the raw ftpd is made to wait.
TEST_F(SessionTest, ASlowClientHoldsTheServerUp)
{
    config_.limits.reply_bytes = 1u << 30;
    play([&]() -> Task<> {
        co_await log_in();
        co_await client_->say("HELP");
        co_await server_->expect("HELP");
        constexpr unsigned kMegabytes = 64; // more than all socket buffers hold
        unsigned written = 0;
        net::TaskGroup writers(loop_.executor());
        writers.spawn("raw ftpd", write_long_reply(kMegabytes, written));
        co_await let_others_run(written);
        EXPECT_LT(written, kMegabytes);
        std::string last;
        while (last != "214 end") {
            last = co_await client_->line();
            if (last == "<end>" || last == "<broken>")
                break;
        }
        EXPECT_EQ(last, "214 end") << "and all of it comes once the client reads";
        co_await writers.all_done();
    });
}

TEST_F(SessionTest, ADrainEndsAnIdleSession)
{
    play([&]() -> Task<> {
        co_await log_in();
        session_->drain();
        co_await client_->expect("421 This server is shutting down, please try again later.");
        co_await client_->expect("<end>");
        co_await server_->expect("<end>");
    });
}

// ---- time limits: those of no time at all are over at once

TEST_F(SessionTest, ALoginThatTakesTooLong)
{
    config_.timeouts.login = std::chrono::seconds(0);
    play([&]() -> Task<> {
        const std::string farewell = co_await client_->rest();
        EXPECT_EQ(farewell, "421 Login took too long, closing.\r\n<end>");
    });
}

TEST_F(SessionTest, AServerThatDoesNotGreet)
{
    config_.timeouts.server_greeting = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await client_->expect("421 The FTP server behind this gateway does not greet, please try again later.");
        co_await client_->expect("<end>");
    });
}

TEST_F(SessionTest, AServerThatDoesNotAnswer)
{
    config_.timeouts.server_reply = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await greet();
        co_await client_->say("USER joe");
        co_await client_->expect("421 The FTP server behind this gateway does not answer, closing.");
        co_await client_->expect("<end>");
    });
}

TEST_F(SessionTest, AClientThatSaysNothing)
{
    config_.timeouts.idle = std::chrono::seconds(0);
    play([&]() -> Task<> {
        server_ = co_await accept(server_listener_);
        co_await server_->say("220 ready");
        co_await client_->expect("220 ready");
        co_await client_->expect("421 Nothing came for too long, closing.");
        co_await client_->expect("<end>");
    });
}

// A client that neither takes its farewell nor ends itself is not waited for.
TEST_F(SessionTest, AFarewellHasATimeLimit)
{
    config_.timeouts.data_close = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await greet();
        server_->close();
        co_await client_->expect("421 The FTP server behind this gateway closed the connection.");
        co_await tasks_.all_done();
    });
}

// ---- the address in 227

class AnnouncedAddress : public SessionTest {
protected:
    Task<> expect_announced(std::string numbers)
    {
        co_await log_in();
        const UniqueFd listener = net::test::listening_socket({kHere, 0});
        const auto port = local_endpoint(listener.get()).value().port;
        co_await client_->say("PASV");
        co_await server_->expect("EPSV");
        co_await server_->say("229 here (|||" + std::to_string(port) + "|)");
        const std::string reply = co_await client_->line();
        EXPECT_TRUE(reply.starts_with("227 Entering Passive Mode (" + numbers + ",")) << reply;
    }
    void play_announced(const std::string& numbers)
    {
        play([&]() -> Task<> { co_await expect_announced(numbers); });
    }
};

TEST_F(AnnouncedAddress, IsOurOwn)
{
    play_announced("127,0,0,1");
}

TEST_F(AnnouncedAddress, IsTheConfiguredOne)
{
    config_.data.announce.address = "198.51.100.7";
    play_announced("198,51,100,7");
}

TEST_F(AnnouncedAddress, IsTheOneOfTheFirstNetworkThatHoldsTheClient)
{
    config_.data.announce.address = "198.51.100.7";
    config_.data.announce.for_clients = {{*Network::parse("192.0.2.0/24"), "203.0.113.1"},
        {*Network::parse("127.0.0.0/8"), "203.0.113.2"}, {*Network::parse("0.0.0.0/0"), "203.0.113.3"}};
    play_announced("203,0,113,2");
}

TEST_F(AnnouncedAddress, IsTheFirstIpv4AddressOfAName)
{
    config_.data.announce.address = "ftp.example.org";
    announced_names_ = {{"other.example.org", {*IpAddress::parse("203.0.113.9")}},
        {"ftp.example.org", {*IpAddress::parse("2001:db8::1"), *IpAddress::parse("203.0.113.4")}}};
    play_announced("203,0,113,4");
}

TEST_F(AnnouncedAddress, IsOurOwnWhereTheNameHasNone)
{
    config_.data.announce.address = "ftp.example.org";
    announced_names_ = {{"ftp.example.org", {*IpAddress::parse("2001:db8::1")}}};
    play_announced("127,0,0,1");
}

} // namespace
} // namespace safetp::proxy
