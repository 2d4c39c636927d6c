// Host names to addresses without letting a dead name server hold the event loop up: getaddrinfo(3) runs in processes of its
// own, so that /etc/hosts, nsswitch.conf(5) and whatever else the machine uses count.
#pragma once

#include "base/ip_address.h"
#include "net/channel.h"
#include "net/tasks.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace safetp::client {

/// Starts the helper, which forks a child for each name, and gives our end of its socket; the helper ends when that is closed.
/// Call it before privileges are given up and before there are threads.
Result<UniqueFd> start_name_helper();

/// The asking side, in an event loop.
class NameService {
public:
    NameService(const net::Executor& executor, UniqueFd helper);

    /// Never an empty list. bad_address: there is no such name; timed_out; supervisor: the helper is gone.
    net::Task<Result<std::vector<IpAddress>>> look_up(std::string host);

    /// Takes answers in until close(); one task of the caller's.
    net::Task<> run();
    void close();

private:
    struct Question {
        explicit Question(const net::Executor& executor) : answered(executor) {}
        net::Event answered;
        Result<std::vector<IpAddress>> answer = fail(ErrorCode::supervisor, 0, "the name helper is gone");
    };

    net::Executor executor_;
    net::Channel helper_;
    std::map<std::uint32_t, Question*> asked_;
    std::uint32_t next_ = 1;
};

} // namespace safetp::client
