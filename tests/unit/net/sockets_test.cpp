#include "net/sockets.h"

#include "net/loop.h"
#include "net/loopback.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <set>
#include <sys/resource.h>
#include <vector>

namespace safetp::net {
namespace {

using test::Loop;
using test::own_address;

constexpr PortRange kEight{17400, 17407};

std::uint16_t port_of(const UniqueFd& fd) { return local_endpoint(fd.get()).value().port; }

int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(::getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

bool is_non_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }
bool is_close_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

// ---- listen_in_range

TEST(ListenInRange, TakesEveryPortOfTheRangeAndThenNoOther)
{
    std::vector<UniqueFd> held;
    std::set<std::uint16_t> ports;
    for (int i = 0; i < 8; ++i) {
        auto fd = listen_in_range(own_address(), kEight);
        ASSERT_TRUE(fd) << describe(fd.error());
        ASSERT_TRUE(*fd);
        ports.insert(port_of(*fd));
        held.push_back(std::move(*fd));
    }
    EXPECT_EQ(ports.size(), 8u);
    EXPECT_EQ(*ports.begin(), kEight.first);
    EXPECT_EQ(*ports.rbegin(), kEight.last);
    EXPECT_EQ(listen_in_range(own_address(), kEight).error().code, ErrorCode::no_free_port);
    const std::uint16_t freed = port_of(held[3]);
    held[3].reset();
    EXPECT_EQ(port_of(listen_in_range(own_address(), kEight).value()), freed) << "the only one that is free";
}

TEST(ListenInRange, ARangeOfOneIsThatPort)
{
    const PortRange one{17408, 17408};
    const auto fd = listen_in_range(own_address(), one);
    ASSERT_TRUE(fd) << describe(fd.error());
    EXPECT_EQ(port_of(*fd), 17408);
    EXPECT_EQ(listen_in_range(own_address(), one).error().code, ErrorCode::no_free_port);
}

// Who guesses the next port can take a client's place: 200 draws of 1000 neither repeat one port nor count upwards.
TEST(ListenInRange, PortsCannotBeForetold)
{
    const PortRange thousand{16000, 16999};
    std::vector<std::uint16_t> draws;
    for (int i = 0; i < 200; ++i)
        draws.push_back(port_of(listen_in_range(own_address(), thousand).value()));
    EXPECT_TRUE(std::ranges::all_of(draws, [](auto port) { return port >= 16000 && port <= 16999; }));
    EXPECT_GT(std::set(draws.begin(), draws.end()).size(), 100u);
    unsigned successors = 0;
    for (std::size_t i = 1; i < draws.size(); ++i)
        successors += draws[i] == draws[i - 1] + 1;
    EXPECT_LT(successors, 20u);
    EXPECT_GT(std::ranges::count_if(draws, [](auto port) { return port < 16500; }), 50);
    EXPECT_GT(std::ranges::count_if(draws, [](auto port) { return port >= 16500; }), 50);
}

TEST(ListenInRange, NoRangeLeavesTheChoiceToTheKernel)
{
    const auto fd = listen_in_range(own_address(), {});
    ASSERT_TRUE(fd) << describe(fd.error());
    EXPECT_NE(port_of(*fd), 0);
    EXPECT_EQ(local_endpoint(fd->get()).value().address, own_address());
}

TEST(ListenInRange, TheListenerNeitherBlocksNorIsInherited)
{
    const auto fd = listen_in_range(own_address(), {}).value();
    EXPECT_TRUE(is_non_blocking(fd.get()));
    EXPECT_TRUE(is_close_on_exec(fd.get()));
}

TEST(ListenInRange, AnAddressOfAnotherHostIsAnErrorAndNotAFullRange)
{
    const auto fd = listen_in_range(*IpAddress::parse("192.0.2.1"), kEight);
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code, ErrorCode::system_call);
    EXPECT_EQ(fd.error().os_error, EADDRNOTAVAIL);
    EXPECT_NE(fd.error().context.find("192.0.2.1"), std::string::npos);
}

// ---- try_accept

TEST(TryAccept, NothingWaiting)
{
    const UniqueFd listener = listen_in_range(own_address(), {}).value();
    const auto accepted = try_accept(listener.get());
    ASSERT_TRUE(accepted);
    EXPECT_FALSE(accepted->fd);
}

TEST(TryAccept, GivesTheConnectionAndWhoItIs)
{
    const UniqueFd listener = listen_in_range(own_address(), {}).value();
    const Endpoint here = local_endpoint(listener.get()).value();
    const UniqueFd client = test::connected_socket(here, {*IpAddress::parse("127.0.0.9"), 0});
    test::wait_readable(listener.get());
    const auto accepted = try_accept(listener.get());
    ASSERT_TRUE(accepted);
    ASSERT_TRUE(accepted->fd);
    EXPECT_EQ(accepted->peer, local_endpoint(client.get()).value());
    EXPECT_EQ(accepted->peer.address.to_string(), "127.0.0.9");
    EXPECT_TRUE(is_non_blocking(accepted->fd.get()));
    EXPECT_TRUE(is_close_on_exec(accepted->fd.get()));
    EXPECT_FALSE(try_accept(listener.get())->fd) << "only one had come";
}

TEST(TryAccept, WhatIsNoListenerIsAnError)
{
    EXPECT_EQ(try_accept(-1).error().os_error, EBADF);
    const UniqueFd bound = test::bound_socket({own_address(), 0});
    EXPECT_EQ(try_accept(bound.get()).error().os_error, EINVAL);
}

TEST(TryAccept, RunningOutOfDescriptorsIsAnError)
{
    const UniqueFd listener = listen_in_range(own_address(), {}).value();
    const UniqueFd client = test::connected_socket(local_endpoint(listener.get()).value(), {own_address(), 0});
    test::wait_readable(listener.get());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(UniqueFd(::dup(listener.get())).get()); // the lowest number that is free
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto refused = try_accept(listener.get());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().os_error, EMFILE);
    EXPECT_TRUE(try_accept(listener.get())->fd) << "the client has waited";
}

// ---- connect

struct Attempt {
    std::optional<Channel> place;
    std::optional<Result<void>> result;

    Task<> run(Executor executor, Endpoint target, std::optional<IpAddress> source, Reach reach = Reach::anywhere)
    {
        result = co_await connect(place, executor, target, source, reach);
    }
};

std::string congestion_control(int fd)
{
    char name[16] = "";
    socklen_t length = sizeof name;
    EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    return name;
}

TEST(Connect, Succeeds)
{
    Loop loop;
    const UniqueFd listener = test::listening_socket({own_address(), 0});
    const Endpoint target = local_endpoint(listener.get()).value();
    Attempt attempt;
    loop.run(attempt.run(loop.executor(), target, std::nullopt));
    ASSERT_TRUE(attempt.result->has_value()) << describe(attempt.result->error());
    EXPECT_EQ(peer_endpoint(attempt.place->fd()).value(), target);
    EXPECT_TRUE(is_close_on_exec(attempt.place->fd()));
    EXPECT_TRUE(is_non_blocking(attempt.place->fd()));
}

TEST(Connect, ComesFromTheAddressThatIsAskedFor)
{
    Loop loop;
    const UniqueFd listener = test::listening_socket({own_address(), 0});
    Attempt attempt;
    const auto source = *IpAddress::parse("127.0.0.7");
    loop.run(attempt.run(loop.executor(), local_endpoint(listener.get()).value(), source));
    ASSERT_TRUE(attempt.result->has_value()) << describe(attempt.result->error());
    EXPECT_EQ(local_endpoint(attempt.place->fd()).value().address, source);
}

TEST(Reach, IsWhatTheAddressesSay)
{
    const auto between = [](const char* here, const char* there) {
        return reach_between(*IpAddress::parse(here), *IpAddress::parse(there)) == Reach::this_machine;
    };
    EXPECT_TRUE(between("192.0.2.1", "192.0.2.1"));
    EXPECT_TRUE(between("127.0.0.1", "127.0.0.7"));
    EXPECT_TRUE(between("::1", "::1"));
    EXPECT_FALSE(between("192.0.2.1", "192.0.2.2"));
    EXPECT_FALSE(between("127.0.0.1", "192.0.2.2"));
    EXPECT_FALSE(between("2001:db8::1", "2001:db8::2"));
}

TEST(Reach, WithinTheMachineNothingPaces)
{
    Loop loop;
    const UniqueFd listener = test::listening_socket({own_address(), 0});
    const std::string of_the_system = congestion_control(listener.get());
    for (const auto& [reach, wanted] : {std::pair(Reach::anywhere, of_the_system), {Reach::this_machine, "reno"}}) {
        set_reach(listener.get(), reach);
        Attempt attempt;
        loop.run(attempt.run(loop.executor(), local_endpoint(listener.get()).value(), std::nullopt, reach));
        ASSERT_TRUE(attempt.result->has_value());
        EXPECT_EQ(congestion_control(attempt.place->fd()), wanted);
        const auto accepted = try_accept(listener.get());
        ASSERT_TRUE(accepted.has_value());
        EXPECT_EQ(congestion_control(accepted->fd.get()), wanted);
    }
}

TEST(Connect, NobodyListens)
{
    Loop loop;
    const UniqueFd bound = test::bound_socket({own_address(), 0});
    Attempt attempt;
    loop.run(attempt.run(loop.executor(), local_endpoint(bound.get()).value(), std::nullopt));
    ASSERT_FALSE(attempt.result->has_value());
    EXPECT_EQ(attempt.result->error().code, ErrorCode::connect_failed);
    EXPECT_EQ(attempt.result->error().os_error, ECONNREFUSED);
}

TEST(Connect, ASourceOfAnotherHost)
{
    Loop loop;
    const UniqueFd listener = test::listening_socket({own_address(), 0});
    Attempt attempt;
    loop.run(attempt.run(loop.executor(), local_endpoint(listener.get()).value(), *IpAddress::parse("192.0.2.1")));
    ASSERT_FALSE(attempt.result->has_value());
    EXPECT_EQ(attempt.result->error().code, ErrorCode::connect_failed);
    EXPECT_EQ(attempt.result->error().os_error, EADDRNOTAVAIL);
}

// A listener whose queue is full drops the SYN: the attempt would take minutes.
TEST(Connect, EndsWhenItsChannelIsClosed)
{
    Loop loop;
    const UniqueFd listener = test::listening_socket({own_address(), 0}, 0);
    const Endpoint target = local_endpoint(listener.get()).value();
    const UniqueFd fills_the_queue = test::connected_socket(target, {own_address(), 0});
    test::wait_readable(listener.get());
    Attempt attempt;
    TaskGroup tasks(loop.executor());
    tasks.spawn("connect", attempt.run(loop.executor(), target, std::nullopt));
    loop.settle();
    ASSERT_FALSE(attempt.result);
    ASSERT_TRUE(attempt.place) << "the caller can close what it sees only";
    attempt.place->close();
    loop.run_until([&] { return attempt.result.has_value(); });
    ASSERT_FALSE(attempt.result->has_value());
    EXPECT_EQ(attempt.result->error().code, ErrorCode::cancelled);
    loop.run(tasks.all_done());
}

// ---- options

TEST(Options, KeepaliveIsSetInAllItsParts)
{
    const auto pair = test::tcp_pair();
    enable_keepalive(pair.ours.get(), 60);
    EXPECT_EQ(option(pair.ours.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_KEEPIDLE), 60);
    EXPECT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_KEEPINTVL), 15);
    EXPECT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_KEEPCNT), 4);
}

TEST(Options, KeepaliveOfAFewSecondsHasAnIntervalToo)
{
    const auto pair = test::tcp_pair();
    enable_keepalive(pair.ours.get(), 2);
    EXPECT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_KEEPIDLE), 2);
    EXPECT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_KEEPINTVL), 1);
}

TEST(Options, NagleIsOff)
{
    const auto pair = test::tcp_pair();
    ASSERT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_NODELAY), 0);
    disable_nagle(pair.ours.get());
    EXPECT_EQ(option(pair.ours.get(), IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST(Options, UrgentDataStaysInItsPlace)
{
    const auto pair = test::tcp_pair();
    keep_urgent_data_inline(pair.ours.get());
    test::write_text(pair.peer.get(), "AB");
    ASSERT_EQ(::send(pair.peer.get(), "\xf2", 1, MSG_OOB), 1);
    test::write_text(pair.peer.get(), "OR");
    ASSERT_EQ(::shutdown(pair.peer.get(), SHUT_WR), 0);
    std::string all;
    for (std::string part; !(part = test::read_some(pair.ours.get())).empty();)
        all += part;
    EXPECT_EQ(all, "AB\xf2OR");
}

// ---- unacknowledged_bytes

TEST(UnacknowledgedBytes, CountWhatThePeersKernelHasNotTaken)
{
    auto pair = test::tcp_pair();
    ASSERT_EQ(::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(unacknowledged_bytes(pair.ours.get()), 0u);
    const std::string block(65536, 'x');
    std::size_t sent = 0;
    for (ssize_t got; (got = ::send(pair.ours.get(), block.data(), block.size(), MSG_NOSIGNAL)) > 0;)
        sent += static_cast<std::size_t>(got);
    EXPECT_GT(unacknowledged_bytes(pair.ours.get()), 0u) << "the peer's buffer is full";
    while (sent > 0)
        sent -= test::read_some(pair.peer.get()).size();
    test::write_text(pair.peer.get(), "x"); // brings the last acknowledgement with it
    EXPECT_EQ(test::read_some(pair.ours.get()), "x");
    EXPECT_EQ(unacknowledged_bytes(pair.ours.get()), 0u);
}

TEST(UnacknowledgedBytes, NoSocketHasNone)
{
    EXPECT_EQ(unacknowledged_bytes(-1), 0u);
}

} // namespace
} // namespace safetp::net
