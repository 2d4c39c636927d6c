// What the files of DataChannel share: the state of one pair of data connections. Internal to them.
#pragma once

#include "proxy/data_channel.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace safetp::proxy {

/// Somebody who has come to the client's port, until it is known whether he is the client.
struct DataChannel::Comer {
    Comer(const net::Executor& executor, UniqueFd fd) : channel(executor, std::move(fd)), started(executor) {}

    void wake()
    {
        channel.cancel_waits();
        started.notify();
    }
    void leave()
    {
        channel.close();
        started.notify();
    }

    net::Channel channel;
    net::Event started;
    std::optional<net::Clock::time_point> deadline; ///< for his handshake, once a transfer is to start
    bool is_tls_begun = false;
    bool is_judged = false; ///< and not found wanting
    bool is_bound = false;  ///< resumes the control connection's TLS session
};

/// One pair of data connections from preparation to end.
struct DataChannel::Attempt {
    Attempt(const net::Executor& on, const Handlers& told)
        : executor(on), handlers(told), expected(on), started(on), finish(on), stirred(on)
    {
    }

    void expect_within(std::chrono::seconds time, ftp::DataFailure failure)
    {
        const auto due = net::Clock::now() + std::min(time, longest_wait);
        const bool is_nearer = !deadline || due < *deadline;
        deadline = due;
        expiry = failure;
        if (is_nearer && has_limit()) // a later one is seen when the timer runs out for the earlier one
            handlers.deadline_nearer();
    }

    bool has_limit() const { return is_started || is_expected; } ///< before, nobody is in a hurry
    bool is_client_over() const { return is_abandoned || is_client_aborted; } ///< nothing more is to be done with the client

    net::Executor executor;
    const Handlers& handlers;
    std::optional<Endpoint> server_target;        ///< the raw ftpd listens there, or
    std::optional<net::Channel> server_listener;  ///< it comes to us
    std::optional<Endpoint> client_target;
    std::optional<net::Channel> client_listener;
    std::optional<net::Channel> server;
    std::optional<net::Channel> client;

    ftp::Direction direction = ftp::Direction::download;
    bool is_protected = false; ///< before the start: as PROT was when the client's port was opened
    bool is_tls_begun = false;
    bool is_looking_for_hello = false;
    bool is_dialling_server = false;
    bool is_securing_server = false; ///< the handshake with it is under way
    bool is_expected = false; ///< the server has been told of a transfer: it may begin TLS
    bool is_started = false;
    bool is_door_broken = false; ///< nobody can come any more
    bool is_data_over = false; ///< of a download: all of the server's bytes are written
    bool is_client_aborted = false; ///< the server's leg waits for the server
    bool is_abandoned = false; ///< nobody wants to hear of it any more; its channels are closed, but for
    bool is_refused = false;   ///< the client's, which is being ended in order, or
    bool is_doomed = false;    ///< the server's, which is reset when its handshake is over
    net::Event expected;
    net::Event started;
    net::Event finish;
    net::Event stirred; ///< something has happened at the door
    std::vector<std::shared_ptr<Comer>> comers; ///< in the order of their trials' ends
    Outcome trial_failure; ///< of the first who was found wanting
    std::optional<net::Clock::time_point> patience_ends;
    std::chrono::seconds longest_wait = std::chrono::seconds::max();
    std::optional<net::Clock::time_point> deadline;
    ftp::DataFailure expiry = ftp::DataFailure::client_not_connected;
};

} // namespace safetp::proxy
