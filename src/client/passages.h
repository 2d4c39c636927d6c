// The connections of a watched command of which nobody has said what they are: they go through us, who look for FTP.
#pragma once

#include "client/connect_calls.h"
#include "net/tasks.h"
#include "proxy/client_side.h"
#include "proxy/passage.h"

#include <chrono>
#include <functional>
#include <optional>
#include <set>

namespace safetp::client {

class Passages {
public:
    using Answer = std::function<void(std::uint64_t id, int error)>; ///< answer()
    Passages(const net::Executor& executor, std::chrono::seconds keepalive, Answer answer);
    Passages(const Passages&) = delete;

    /// A program that is about to speak FTP in clear.
    struct Found {
        UniqueFd client; ///< our end of the program's connection
        Endpoint peer;
        Endpoint target;
        proxy::Overheard overheard;
    };
    /// Connects with the target and then the program with us, so that it hears what has come of the former, and passes on what
    /// both say until it is over: nothing, or FTP was found, the target is hung up on and nothing of the login was sent.
    net::Task<std::optional<Found>> carry(ConnectCall call);

    unsigned carried() const { return carried_; } ///< in all
    void finish(); ///< there is nobody left who waits for an answer

private:
    struct Dialling {
        explicit Dialling(const net::Executor& executor) : over(executor) {}
        std::optional<net::Channel> server;
        int error = 0; ///< an errno
        net::Event over;
    };
    net::Task<> dial(Dialling& dialling, Endpoint target, std::optional<IpAddress> source);
    net::Task<std::optional<Found>> pass(Dialling& dialling, LedHere led, const Endpoint& target);

    net::Executor executor_;
    std::chrono::seconds keepalive_;
    Answer answer_;
    std::set<Dialling*> diallings_; ///< what goes on
    std::set<proxy::Passage*> passages_;
    unsigned carried_ = 0;
    bool is_finishing_ = false;
};

} // namespace safetp::client
