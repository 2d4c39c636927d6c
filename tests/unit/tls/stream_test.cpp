#include "tls/support.h"

#include <array>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/socket.h>

namespace safetp::tls::test {
namespace {

using Kind = IoStep::Kind;

class StreamTest : public testing::TestWithParam<int> {
protected:
    StreamTest()
    {
        Certificate certificate;
        ContextOptions options;
        options.certificates = {certificate.make().save(directory_, "server")};
        context_ = std::make_unique<ServerContext>(ServerContext::make(options).value());
    }

    Stream make_server(UniqueFd fd, Purpose purpose)
    {
        Stream stream(std::move(fd));
        EXPECT_TRUE(stream.start_tls(*context_, purpose, &key_));
        return stream;
    }

    TemporaryDirectory directory_;
    std::unique_ptr<ServerContext> context_;
    TicketKey key_;
    ClientContext client_context_ = client_context(GetParam());
};

std::string name_of(const testing::TestParamInfo<int>& version) { return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; }

/// What only one of the versions has.
class Tls12StreamTest : public StreamTest { };
class Tls13StreamTest : public StreamTest { };

INSTANTIATE_TEST_SUITE_P(Versions, StreamTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), name_of);
INSTANTIATE_TEST_SUITE_P(Versions, Tls12StreamTest, testing::Values(TLS1_2_VERSION), name_of);
INSTANTIATE_TEST_SUITE_P(Versions, Tls13StreamTest, testing::Values(TLS1_3_VERSION), name_of);

std::string sha256(std::string_view text)
{
    std::array<unsigned char, 32> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return std::string(digest.begin(), digest.end());
}

std::string some_megabytes(std::size_t megabytes)
{
    std::string text(megabytes << 20, '\0');
    unsigned value = 12345;
    for (char& byte : text)
        byte = static_cast<char>((value = value * 1664525u + 1013904223u) >> 24);
    return text;
}

TEST_P(StreamTest, BytesGoBothWays)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::control);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    client.write("USER joe\r\n");
    IoStep last;
    EXPECT_EQ(read_all_there(server, last), "USER joe\r\n");
    EXPECT_EQ(last.kind, Kind::want_read);
    const IoStep written = write_text(server, "331 Password?\r\n");
    EXPECT_EQ(written.kind, Kind::done);
    EXPECT_EQ(written.bytes, 15u);
    EXPECT_EQ(client.read(), "331 Password?\r\n");
}

TEST_P(StreamTest, AFinishedHandshakeSaysWhatWasAgreed)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::control);
    Client client(client_context_.get(), std::move(pair.client));
    client.name("ftp.example.com");
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    const HandshakeInfo& info = server.handshake_info();
    EXPECT_EQ(info.version, GetParam() == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_EQ(info.cipher, GetParam() == TLS1_2_VERSION ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(info.server_name, "ftp.example.com");
    EXPECT_FALSE(info.is_resumed);
    EXPECT_FALSE(info.is_bound);
    EXPECT_EQ(info.client_fingerprint, "");
}

TEST_P(StreamTest, NothingIsReadOrWrittenBeforeTheHandshake)
{
    std::array<std::byte, 10> buffer{};
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::control);
    EXPECT_EQ(server.try_read(buffer).error.code, ErrorCode::tls_protocol);
    EXPECT_EQ(server.try_write(buffer).error.code, ErrorCode::tls_protocol);
    EXPECT_EQ(server.try_close_notify().kind, Kind::failed);
}

TEST_P(StreamTest, TlsCannotBeStartedTwice)
{
    Stream server = make_server(local_pair().server, Purpose::control);
    EXPECT_EQ(server.start_tls(*context_, Purpose::control, &key_).error().code, ErrorCode::tls_setup);
}

TEST_P(StreamTest, CloseNotifyIsAnOrderlyEndAndTheOtherDirectionGoesOn)
{
    for (const Purpose purpose : {Purpose::control, Purpose::data}) {
        SocketPair pair = local_pair();
        Stream server = make_server(std::move(pair.server), purpose);
        Client client(client_context_.get(), std::move(pair.client));
        ASSERT_EQ(connect(server, client).kind, Kind::done);
        client.write("last words");
        SSL_shutdown(client.ssl());
        IoStep last;
        EXPECT_EQ(read_all_there(server, last), "last words");
        EXPECT_EQ(last.kind, Kind::eof);
        EXPECT_EQ(write_text(server, "226").kind, Kind::done);
        EXPECT_EQ(server.try_close_notify().kind, Kind::done);
        EXPECT_EQ(server.try_close_notify().kind, Kind::done) << "may be asked again";
        EXPECT_EQ(client.read(), "226");
        EXPECT_TRUE(client.has_got_close_notify());
    }
}

TEST_P(StreamTest, OurCloseNotifyDoesNotWaitForTheirs)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::data);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    EXPECT_EQ(server.try_close_notify().kind, Kind::done);
    EXPECT_EQ(write_text(server, "too late").error.code, ErrorCode::tls_protocol);
}

TEST_P(StreamTest, DestructionSendsNoCloseNotify)
{
    SocketPair pair = local_pair();
    Client client(client_context_.get(), std::move(pair.client));
    {
        Stream server = make_server(std::move(pair.server), Purpose::data);
        ASSERT_EQ(connect(server, client).kind, Kind::done);
    }
    EXPECT_EQ(client.read(), "");
    EXPECT_FALSE(client.has_got_close_notify());
}

/// The bytes which the client would send for `text` and its close_notify.
std::string record_bytes(Client& client, std::string_view text)
{
    SocketPair aside = local_pair();
    SSL_set_wfd(client.ssl(), aside.client.get());
    client.write(text);
    SSL_shutdown(client.ssl());
    std::string bytes(4096, '\0');
    const ssize_t size = ::recv(aside.server.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
}

/// A client that dies after `cut` bytes of a record and a close_notify; how many bytes there are in all.
std::size_t cut_after(Client& client, std::size_t cut, bool by_reset)
{
    const std::string bytes = record_bytes(client, "0123456789");
    EXPECT_EQ(::send(client.fd(), bytes.data(), std::min(cut, bytes.size()), MSG_NOSIGNAL),
              static_cast<ssize_t>(std::min(cut, bytes.size())));
    if (by_reset)
        client.abort();
    else
        client.close();
    return bytes.size();
}

TEST_P(StreamTest, AFinAnywhereBeforeTheEndOfCloseNotifyIsTruncation)
{
    for (std::size_t cut = 0;; ++cut) {
        SocketPair pair = local_pair();
        Stream server = make_server(std::move(pair.server), Purpose::data);
        Client client(client_context_.get(), std::move(pair.client));
        ASSERT_EQ(connect(server, client).kind, Kind::done);
        const std::size_t whole = cut_after(client, cut, false);
        IoStep last;
        const std::string text = read_to_the_end(server, last);
        if (cut == whole) {
            EXPECT_EQ(text, "0123456789");
            EXPECT_EQ(last.kind, Kind::eof);
            break;
        }
        ASSERT_EQ(last.kind, Kind::failed) << "cut after " << cut << " of " << whole;
        ASSERT_EQ(last.error.code, ErrorCode::tls_truncated) << "cut after " << cut << " of " << whole;
        read_all_there(server, last);
        ASSERT_EQ(last.error.code, ErrorCode::tls_truncated) << "stays failed";
        ASSERT_EQ(server.try_close_notify().kind, Kind::failed);
    }
}

TEST_P(StreamTest, AResetIsTruncation)
{
    for (const std::size_t cut : {0u, 1u, 5u, 20u, 40u}) {
        SocketPair pair = tcp_pair();
        Stream server = make_server(std::move(pair.server), Purpose::data);
        Client client(client_context_.get(), std::move(pair.client));
        ASSERT_EQ(connect(server, client).kind, Kind::done);
        cut_after(client, cut, true);
        IoStep last;
        read_to_the_end(server, last);
        EXPECT_EQ(last.error.code, ErrorCode::tls_truncated) << "cut after " << cut;
    }
}

TEST_P(StreamTest, AResetWhileWeWriteIsTruncationToo)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::data);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    client.close();
    const IoStep step = write_text(server, "hello");
    EXPECT_EQ(step.error.code, ErrorCode::tls_truncated);
    EXPECT_EQ(step.error.os_error, EPIPE);
}

TEST_P(StreamTest, RubbishInsteadOfARecordIsAProtocolError)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::control);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    ASSERT_EQ(::send(client.fd(), "\x17\x03\x03\x00\x20" "abcdefghijklmnopqrstuvwxyz0123456789", 41, 0), 41);
    IoStep last;
    EXPECT_EQ(read_all_there(server, last), "");
    EXPECT_EQ(last.error.code, ErrorCode::tls_protocol);
    EXPECT_NE(last.error.context, "");
}

TEST_P(StreamTest, CccGoesBackToPlainBothWays)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::control);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    SSL_shutdown(client.ssl());
    // In the same breath as close_notify: nothing of it may be lost in TLS buffers.
    ASSERT_EQ(::send(client.fd(), "NOOP\r\n", 6, 0), 6);
    IoStep last;
    EXPECT_EQ(read_all_there(server, last), "");
    ASSERT_EQ(last.kind, Kind::eof);
    ASSERT_EQ(server.try_close_notify().kind, Kind::done);
    server.end_tls();
    EXPECT_FALSE(server.is_tls());
    EXPECT_EQ(read_all_there(server, last), "NOOP\r\n");
    EXPECT_EQ(last.kind, Kind::want_read);
    EXPECT_EQ(write_text(server, "200 OK\r\n").bytes, 8u);
    EXPECT_EQ(client.read(), "");
    EXPECT_TRUE(client.has_got_close_notify());
    char plain[20];
    EXPECT_EQ(::recv(client.fd(), plain, sizeof plain, 0), 8);
}

/// Moves `text` with buffers so small that records are cut, from a fresh place in memory at each attempt.
void send_in_pieces(Stream& server, Client& client, const std::string& text, std::string& received)
{
    std::size_t at = 0;
    std::size_t times_blocked = 0;
    std::vector<char> before; // alive while the next is made, so that the next lies elsewhere
    while (at < text.size()) {
        std::vector<char> moved(text.begin() + static_cast<std::ptrdiff_t>(at),
                                      text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), at + 70000)));
        before.swap(moved);
        moved.clear();
        const IoStep step = server.try_write(std::as_bytes(std::span(before)));
        ASSERT_NE(step.kind, Kind::failed) << describe(step.error);
        if (step.kind == Kind::done) {
            ASSERT_GT(step.bytes, 0u);
            at += step.bytes;
            continue;
        }
        ASSERT_EQ(step.kind, Kind::want_write);
        ++times_blocked;
        received += client.read();
    }
    while (server.try_flush().kind == Kind::want_write)
        received += client.read();
    received += client.read();
    EXPECT_GT(times_blocked, 10u) << "the buffers were not small enough to test anything";
}

TEST_P(StreamTest, SmallSocketBuffersCutWritesButNotData)
{
    SocketPair pair = local_pair(4608);
    Stream server = make_server(std::move(pair.server), Purpose::data);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    const std::string text = some_megabytes(2);
    std::string received;
    send_in_pieces(server, client, text, received);
    EXPECT_EQ(sha256(received), sha256(text));
    IoStep step;
    while ((step = server.try_close_notify()).kind == Kind::want_write)
        client.read();
    EXPECT_EQ(step.kind, Kind::done);
    EXPECT_EQ(client.read(), "");
    EXPECT_TRUE(client.has_got_close_notify());
}

TEST_P(StreamTest, ADataStreamTakesMoreThanTheSocketAndFlushesLater)
{
    SocketPair pair = local_pair(4608);
    Stream server = make_server(std::move(pair.server), Purpose::data);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    EXPECT_EQ(server.try_flush().kind, Kind::done);
    const std::string text = some_megabytes(1);
    const auto bytes = std::as_bytes(std::span(text));
    const IoStep first = server.try_write(bytes);
    ASSERT_EQ(first.kind, Kind::done);
    EXPECT_EQ(first.bytes, text.size());
    EXPECT_EQ(server.try_flush().kind, Kind::want_write);
    EXPECT_EQ(server.try_write(bytes).kind, Kind::want_write) << "it may not take more and more";

    std::string received;
    bool has_moved = false;
    IoStep step;
    while ((step = server.try_flush()).kind == Kind::want_write) {
        has_moved = has_moved || step.bytes != 0;
        received += client.read();
    }
    EXPECT_EQ(step.kind, Kind::done);
    EXPECT_TRUE(has_moved) << "whoever watches for a stall would see none";
    received += client.read();
    EXPECT_EQ(sha256(received), sha256(text));
}

TEST_P(StreamTest, AFlushToAClosedPeerFails)
{
    SocketPair pair = local_pair(4608);
    Stream server = make_server(std::move(pair.server), Purpose::data);
    {
        Client client(client_context_.get(), std::move(pair.client));
        ASSERT_EQ(connect(server, client).kind, Kind::done);
        const std::string text = some_megabytes(1);
        ASSERT_EQ(server.try_write(std::as_bytes(std::span(text))).kind, Kind::done);
    }
    IoStep step;
    while ((step = server.try_flush()).kind == Kind::want_write)
        continue;
    EXPECT_EQ(step.kind, Kind::failed);
}

TEST_P(StreamTest, LargeUploadsArriveWhole)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::data);
    Client client(client_context_.get(), std::move(pair.client));
    SSL_set_mode(client.ssl(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    const std::string text = some_megabytes(8);
    std::string received;
    IoStep last;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t bytes = 0;
        ERR_clear_error();
        if (SSL_write_ex(client.ssl(), text.data() + at, text.size() - at, &bytes) == 1)
            at += bytes;
        else
            received += read_all_there(server, last);
        ASSERT_NE(last.kind, Kind::failed) << describe(last.error);
    }
    SSL_shutdown(client.ssl());
    received += read_all_there(server, last);
    EXPECT_EQ(last.kind, Kind::eof);
    EXPECT_EQ(sha256(received), sha256(text));
}

TEST_P(Tls12StreamTest, RenegotiationIsRefused)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::control);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    ASSERT_EQ(SSL_renegotiate(client.ssl()), 1);
    EXPECT_FALSE(client.try_handshake());
    IoStep last;
    EXPECT_EQ(read_all_there(server, last), "");
    EXPECT_FALSE(client.try_handshake());
    EXPECT_EQ(client.failure(), "no renegotiation");
}

/// Gives how many key updates the server took before it ended the connection, `limit` if it did not.
unsigned flood_with_key_updates(Stream& server, Client& client, unsigned limit, std::string_view text_between)
{
    IoStep last;
    for (unsigned count = 0; count < limit; ++count) {
        EXPECT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        EXPECT_EQ(SSL_do_handshake(client.ssl()), 1);
        if (!text_between.empty())
            client.write(text_between);
        read_all_there(server, last);
        if (last.kind == Kind::failed) {
            EXPECT_EQ(last.error.code, ErrorCode::tls_protocol);
            return count;
        }
    }
    return limit;
}

TEST_P(Tls13StreamTest, AFloodOfKeyUpdatesEndsTheConnection)
{
    for (const Purpose purpose : {Purpose::control, Purpose::data}) {
        SocketPair pair = local_pair();
        Stream server = make_server(std::move(pair.server), purpose);
        Client client(client_context_.get(), std::move(pair.client));
        ASSERT_EQ(connect(server, client).kind, Kind::done);
        EXPECT_EQ(flood_with_key_updates(server, client, 5000, "x"), 1000u);
    }
}

TEST_P(Tls13StreamTest, KeyUpdatesAmongMuchDataAreWelcome)
{
    SocketPair pair = local_pair();
    Stream server = make_server(std::move(pair.server), Purpose::data);
    Client client(client_context_.get(), std::move(pair.client));
    ASSERT_EQ(connect(server, client).kind, Kind::done);
    EXPECT_EQ(flood_with_key_updates(server, client, 2000, std::string(4096, 'x')), 2000u);
}

TEST(PlainStream, FinIsAnOrderlyEnd)
{
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    ASSERT_EQ(::send(pair.client.get(), "abc", 3, 0), 3);
    pair.client.reset();
    IoStep last;
    EXPECT_EQ(read_all_there(server, last), "abc");
    EXPECT_EQ(last.kind, Kind::eof);
}

TEST(PlainStream, NothingThereYetIsNoEnd)
{
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    IoStep last;
    EXPECT_EQ(read_all_there(server, last), "");
    EXPECT_EQ(last.kind, Kind::want_read);
}

TEST(PlainStream, AFullSocketWantsToWrite)
{
    SocketPair pair = local_pair(4608);
    Stream server(std::move(pair.server));
    const std::string text(100000, 'x');
    IoStep step;
    while ((step = write_text(server, text)).kind == Kind::done) { }
    EXPECT_EQ(step.kind, Kind::want_write);
}

TEST(PlainStream, AResetIsAFailure)
{
    SocketPair pair = tcp_pair();
    Stream server(std::move(pair.server));
    Stream client(std::move(pair.client));
    client.reset();
    EXPECT_EQ(client.fd(), -1);
    IoStep last;
    read_to_the_end(server, last);
    EXPECT_EQ(last.error.code, ErrorCode::connection_reset);
    EXPECT_EQ(write_text(server, "x").error.code, ErrorCode::connection_reset) << "and no SIGPIPE";
}

TEST(PlainStream, ShutdownWriteSendsFin)
{
    SocketPair pair = tcp_pair();
    Stream server(std::move(pair.server));
    Stream client(std::move(pair.client));
    client.shutdown_write();
    IoStep last;
    read_to_the_end(server, last);
    EXPECT_EQ(last.kind, Kind::eof);
    EXPECT_EQ(write_text(server, "x").kind, Kind::done) << "the other direction goes on";
}

TEST(PlainStream, KnowsNoTls)
{
    SocketPair pair = local_pair();
    Stream server(std::move(pair.server));
    EXPECT_FALSE(server.is_tls());
    EXPECT_EQ(server.try_handshake().error.code, ErrorCode::tls_protocol);
    EXPECT_EQ(server.try_close_notify().error.code, ErrorCode::tls_protocol);
    server.issue_ticket(); // does nothing
    server.end_tls();
}

} // namespace
} // namespace safetp::tls::test
