// Data connections without TLS: who may come, where the gateway goes, and how each transfer ends.
#include "proxy/gateway.h"

#include <sys/socket.h>

namespace safetp::proxy {
namespace {

using net::Task;
using test::Peer;

class DataChannelTest : public test::Gateway {
protected:
    static IpAddress address(const char* text) { return *IpAddress::parse(text); }

    /// A client's connection from elsewhere: it is sent away, and the client itself is served.
    Task<> expect_stranger_refused(IpAddress from)
    {
        co_await log_in();
        const Endpoint target = co_await passive();
        std::unique_ptr<Peer> stranger = dial(target, from);
        co_await stranger->expect("<end>");
        client_data_ = dial(target);
        co_await expect_download();
    }

    Task<> send_content(std::string content)
    {
        co_await server_data_->write(content);
        server_data_->close();
        co_await server_->say("226 done");
    }

    /// Asks for the state of the transfer, again and again, until so many bytes have gone to the client's socket.
    Task<> wait_for_progress(std::size_t bytes)
    {
        const std::string wanted = " RETR: " + std::to_string(bytes) + " bytes so far";
        std::string progress;
        for (int i = 0; i < 10'000 && progress != wanted; ++i)
            progress = co_await ask_for_progress();
        EXPECT_EQ(progress, wanted);
    }

    Task<std::string> ask_for_progress()
    {
        co_await client_->say("STAT");
        co_await client_->expect("211-Transfer in progress");
        std::string progress = co_await client_->line();
        co_await client_->expect("211 End");
        co_return progress;
    }

    Task<> expect_download()
    {
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data_listener_);
        co_await server_->say("150 begins");
        co_await client_->expect("150 begins");
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await client_->expect("226 done");
    }
};

TEST_F(DataChannelTest, Download)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("RETR a");
        const std::string content(30'000'000, 'x');
        net::TaskGroup writers(loop_.executor());
        writers.spawn("raw ftpd", send_content(content)); // more than all buffers between it and the client hold
        const std::string received = co_await client_data_->rest();
        co_await writers.all_done();
        EXPECT_TRUE(received == content + "<end>") << received.size();
        co_await client_->expect("226 done");
        co_await relay("NOOP", "200 ok");
    });
    EXPECT_NE(log_.find("RETR complete"), std::string::npos) << log_;
}

TEST_F(DataChannelTest, Upload)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("STOR a");
        co_await client_data_->write("content");
        client_data_->close();
        const std::string content = co_await server_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await server_->say("226 done");
        co_await client_->expect("226 done");
    });
    EXPECT_NE(log_.find("STOR complete"), std::string::npos) << log_;
}

TEST_F(DataChannelTest, AbortResetsBothEnds)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("RETR a");
        co_await server_data_->write("half");
        co_await client_->say("ABOR");
        co_await client_->expect("426 Transfer aborted.");
        const std::string to_client = co_await client_data_->rest();
        EXPECT_TRUE(to_client.ends_with("<broken>")) << to_client;
        co_await server_data_->expect("<broken>");
        co_await server_->say("426 broken");
        co_await client_->expect("226 Abort successful.");
        co_await relay("NOOP", "200 ok");
    });
    EXPECT_NE(log_.find("RETR incomplete"), std::string::npos) << log_;
}

TEST_F(DataChannelTest, AnUploadThatTheClientBreaksOffIsBrokenOffAtTheServer)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("STOR a");
        co_await client_data_->write("half");
        client_data_->reset();
        const std::string got = co_await server_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << "the server would take it for whole: " << got;
        co_await client_->expect("426 The data connection broke off, transfer aborted.");
        co_await server_->say("426 broken");
        co_await relay("NOOP", "200 ok");
    });
}

TEST_F(DataChannelTest, ADownloadThatTheServerBreaksOffIsBrokenOffAtTheClient)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("RETR a");
        co_await server_data_->write("half");
        server_data_->reset();
        const std::string got = co_await client_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << "the client would take it for whole: " << got;
        co_await server_->say("426 disk error");
        co_await client_->expect("426 disk error");
    });
}

// It ends its data in order and then says that they are not all: so do we. That they are not all is what the reply is for.
TEST_F(DataChannelTest, ADownloadThatTheServerDisownsEndsInOrderAndThenItsReplyComes)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("RETR a");
        co_await server_data_->write("half");
        server_data_->close();
        co_await server_->say("451 disk error");
        const std::string got = co_await client_data_->rest();
        EXPECT_EQ(got, "half<end>");
        co_await client_->expect("451 disk error");
        co_await relay("NOOP", "200 ok");
    });
    EXPECT_NE(log_.find("RETR incomplete"), std::string::npos) << log_;
}

TEST_F(DataChannelTest, ARefusalWhoseDataNeverEndIsToldAllTheSame)
{
    config_.timeouts.data_close = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("RETR a");
        co_await server_data_->write("half");
        co_await server_->say("451 disk error");
        const std::string got = co_await client_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << "the client would take it for all that the server has sent: " << got;
        co_await client_->expect("451 disk error");
        co_await relay("NOOP", "200 ok");
    });
}

TEST_F(DataChannelTest, ARefusalAtOnceResetsNobody)
{
    for (const std::string verb : {"RETR a", "STOR a"}) {
        play([&]() -> Task<> {
            co_await log_in();
            const Endpoint target = co_await passive();
            client_data_ = dial(target);
            co_await client_->say(verb);
            co_await server_->expect(verb);
            co_await server_->say("550 no");
            co_await client_->expect("550 no");
            co_await client_data_->expect("<end>");
            co_await relay("NOOP", "200 ok");
        });
    }
}

// vsftpd and Pure-FTPd end the session when the connection is gone before they have accepted it.
TEST_F(DataChannelTest, AnAbortWaitsForAServerThatHasNotBegun)
{
    play([&]() -> Task<> {
        co_await log_in();
        const Endpoint target = co_await passive();
        client_data_ = dial(target);
        co_await client_->say("STOR a");
        co_await server_->expect("STOR a");
        server_data_ = co_await accept(server_data_listener_);
        co_await client_->say("ABOR");
        co_await client_->expect("426 Transfer aborted.");
        co_await client_data_->expect("<broken>");
        EXPECT_FALSE(server_data_->has_unread());
        co_await server_->say("150 begins");
        co_await server_data_->expect("<broken>");
        co_await server_->say("426 broken");
        co_await client_->expect("226 Abort successful.");
        co_await relay("NOOP", "200 ok");
    });
}

// The data fit the gateway's send buffer and not the client's receive buffer: they are on their way for as long as it does
// not read.
TEST_F(DataChannelTest, TheFinalReplyWaitsForTheData)
{
    play([&]() -> Task<> {
        co_await log_in();
        const Endpoint target = co_await passive();
        UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int small = 2048;
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        const SocketAddress to = to_socket_address(target);
        EXPECT_EQ(::connect(socket.get(), to.get(), to.length), 0);
        client_data_ = std::make_unique<Peer>(loop_.executor(), std::move(socket));
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data_listener_);
        co_await server_->say("150 begins");
        co_await client_->expect("150 begins");
        const std::string content(30'000, 'x');
        co_await send_content(content);
        co_await wait_for_progress(content.size());
        for (int i = 0; i < 10; ++i) // the 226 has been read by then
            co_await ask_for_progress();
        EXPECT_FALSE(client_->has_unread()) << "226 before the data";
        const std::string got = co_await client_data_->rest();
        EXPECT_TRUE(got == content + "<end>") << got.size();
        co_await client_->expect("226 done");
    });
}

// ---- who may come

TEST_F(DataChannelTest, AStrangerIsRefused)
{
    play([&]() -> Task<> { co_await expect_stranger_refused(address("127.0.0.2")); });
    EXPECT_NE(log_.find("data connection from a stranger refused"), std::string::npos) << log_;
    EXPECT_NE(log_.find("stranger=127.0.0.2"), std::string::npos) << log_;
}

TEST_F(DataChannelTest, SameNetworkIsA24AndNoMore)
{
    config_.data.peer = config::DataPeer::same_network;
    play([&]() -> Task<> { co_await expect_stranger_refused(address("127.0.1.1")); });
    EXPECT_NE(log_.find("stranger=127.0.1.1"), std::string::npos) << log_;
}

TEST_F(DataChannelTest, SameNetworkTakesANeighbour)
{
    config_.data.peer = config::DataPeer::same_network;
    play([&]() -> Task<> {
        co_await log_in();
        const Endpoint target = co_await passive();
        client_data_ = dial(target, address("127.0.0.2"));
        co_await expect_download();
    });
}

TEST_F(DataChannelTest, TheDoorIsShutOnceTheClientHasCome)
{
    play([&]() -> Task<> {
        co_await log_in();
        const Endpoint target = co_await passive();
        client_data_ = dial(target);
        co_await expect_download();
        EXPECT_THROW(net::test::connected_socket(target, {kHere, 0}), std::system_error);
    });
}

TEST_F(DataChannelTest, AnotherPasvShutsTheFormerDoor)
{
    play([&]() -> Task<> {
        co_await log_in();
        const Endpoint former = co_await passive();
        const Endpoint target = co_await passive();
        EXPECT_THROW(net::test::connected_socket(former, {kHere, 0}), std::system_error);
        client_data_ = dial(target);
        co_await expect_download();
    });
}

TEST_F(DataChannelTest, PassivePortsAreOfTheConfiguredRangeAndAFullOneIsTold)
{
    const UniqueFd taken = net::test::listening_socket({kHere, 0});
    config_.data.first_port = config_.data.last_port = local_endpoint(taken.get()).value().port;
    play([&]() -> Task<> {
        co_await log_in();
        co_await client_->say("EPSV");
        co_await server_->expect("EPSV");
        co_await server_->say("229 here (|||40000|)");
        co_await client_->expect("425 No free port for a data connection, please try again later.");
    });
    EXPECT_NE(log_.find("no free port in the configured range"), std::string::npos) << log_;
}

// ---- where the gateway goes

TEST_F(DataChannelTest, ActiveGoesToTheClientOnlyWhenTheServerHasAgreed)
{
    play([&]() -> Task<> {
        co_await log_in();
        const UniqueFd client_listener = net::test::listening_socket({kHere, 0});
        const UniqueFd server_data = net::test::listening_socket({kHere, 0});
        const auto port = local_endpoint(client_listener.get()).value().port;
        co_await client_->say("EPRT |1|127.0.0.1|" + std::to_string(port) + "|");
        co_await server_->expect("EPSV");
        co_await server_->say("229 here (|||" + std::to_string(local_endpoint(server_data.get()).value().port) + "|)");
        co_await client_->expect("200 EPRT command successful.");
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data);
        EXPECT_FALSE(net::test::is_readable_now(client_listener.get())) << "not yet";
        co_await server_->say("150 begins");
        client_data_ = co_await accept(client_listener);
        co_await client_->expect("150 begins");
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await client_->expect("226 done");
    });
}

// The address in a 227 of the raw ftpd is not believed, only the port.
TEST_F(DataChannelTest, TheServersPassiveAddressIsNotBelieved)
{
    config_.server.data_mode = config::ServerDataMode::pasv;
    play([&]() -> Task<> {
        co_await log_in();
        server_data_listener_ = net::test::listening_socket({kHere, 0});
        const auto port = local_endpoint(server_data_listener_.get()).value().port;
        const UniqueFd elsewhere = net::test::listening_socket({address("127.0.0.3"), port});
        co_await client_->say("EPSV");
        co_await server_->expect("PASV");
        co_await server_->say(
            "227 go there (127,0,0,3," + std::to_string(port >> 8) + "," + std::to_string(port & 0xff) + ")");
        const std::string reply = co_await client_->line();
        EXPECT_TRUE(reply.starts_with("229 ")) << reply;
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        server_data_ = co_await accept(server_data_listener_);
        EXPECT_FALSE(net::test::is_readable_now(elsewhere.get()));
    });
}

TEST_F(DataChannelTest, AServerThatDialsIsTakenAndAStrangerInItsPlaceIsNot)
{
    config_.server.data_mode = config::ServerDataMode::active;
    play([&]() -> Task<> {
        co_await log_in();
        co_await client_->say("EPSV");
        const std::string port_command = co_await server_->line(); // PORT 127,0,0,1,high,low
        EXPECT_TRUE(port_command.starts_with("PORT 127,0,0,1,")) << port_command;
        const auto comma = port_command.rfind(',');
        const auto before = port_command.rfind(',', comma - 1);
        const int port = std::stoi(port_command.substr(before + 1)) * 256 + std::stoi(port_command.substr(comma + 1));
        const Endpoint ours{kHere, static_cast<std::uint16_t>(port)};
        co_await server_->say("200 ok");
        const std::string reply = co_await client_->line();
        const auto client_port = std::stoi(reply.substr(reply.find("|||") + 3));
        client_data_ = dial({kHere, static_cast<std::uint16_t>(client_port)});
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        std::unique_ptr<Peer> stranger = dial(ours, address("127.0.0.2"));
        co_await stranger->expect("<end>");
        server_data_ = dial(ours);
        co_await server_->say("150 begins");
        co_await client_->expect("150 begins");
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await client_->expect("226 done");
    });
}

// ---- time limits: those of no time at all are over at once

TEST_F(DataChannelTest, AClientThatDoesNotCome)
{
    config_.timeouts.data_connection = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await log_in();
        co_await passive();
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        co_await client_->expect("425 No data connection came from the client.");
        co_await server_->say("425 no connection");
        co_await relay("NOOP", "200 ok");
    });
}

TEST_F(DataChannelTest, ATransferThatStandsStill)
{
    config_.timeouts.data_stall = std::chrono::seconds(0);
    play([&]() -> Task<> {
        co_await log_in();
        const Endpoint target = co_await passive();
        client_data_ = dial(target);
        co_await client_->say("RETR a");
        co_await server_->expect("RETR a");
        co_await client_->expect("426 The transfer stalled and was aborted.");
        const std::string got = co_await client_data_->rest();
        EXPECT_TRUE(got.ends_with("<broken>")) << got;
        co_await server_->say("426 broken");
        co_await relay("NOOP", "200 ok");
    });
}

TEST_F(DataChannelTest, ADrainLetsATransferEnd)
{
    play([&]() -> Task<> {
        co_await log_in();
        co_await begin_transfer("RETR a");
        session_->drain();
        co_await server_data_->write("content");
        server_data_->close();
        co_await server_->say("226 done");
        const std::string content = co_await client_data_->rest();
        EXPECT_EQ(content, "content<end>");
        co_await client_->expect("226 done");
        co_await client_->expect("421 This server is shutting down, please try again later.");
    });
}

} // namespace
} // namespace safetp::proxy
