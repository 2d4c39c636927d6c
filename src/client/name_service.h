// Host names to addresses without letting a dead name server hold the event loop up: getaddrinfo(3) runs in processes of its
// own, so that /etc/hosts, nsswitch.conf(5) and whatever else the machine uses count.
#pragma once

#include "base/ip_address.h"
#include "net/channel.h"
#include "net/tasks.h"

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace safetp::client {

/// Starts the helper, which forks a child for each name, and gives our end of its socket; the helper ends when that is closed.
/// Call it before privileges are given up and before there are threads.
Result<UniqueFd> start_name_helper();

/// How many processes look names up at the same time, in all and for one asker; the rest waits in line.
struct LookupLimits {
    unsigned at_once = 8;
    unsigned of_one_asker = 4;
};

/// The asking side, in an event loop.
class NameService {
public:
    NameService(const net::Executor& executor, UniqueFd helper, LookupLimits limits = {});

    /// For `asker`, any name for who wants it. Whoever has the fewest lookups under way comes first. Never an empty list.
    /// bad_address: there is no such name; timed_out, also in line; supervisor: the helper is gone.
    net::Task<Result<std::vector<IpAddress>>> look_up(std::string host, std::string asker);

    /// Takes answers in until close(); one task of the caller's.
    net::Task<> run();
    void close();

private:
    struct Question {
        Question(const net::Executor& executor, std::string for_whom) : answered(executor), asker(std::move(for_whom)) {}
        net::Event answered;
        std::string host;
        std::string asker;
        Result<std::vector<IpAddress>> answer = fail(ErrorCode::supervisor, 0, "the name helper is gone");
    };
    struct Asked {
        std::string asker;
        Question* question = nullptr; ///< null: nobody waits any more, but the process still runs
    };

    void ask_next();
    void ask(Question& question);
    unsigned asked_for(std::string_view asker) const;
    void forget(const Question& question);

    net::Executor executor_;
    net::Channel helper_;
    LookupLimits limits_;
    std::list<Question*> waiting_; ///< in the order in which they came
    std::map<std::uint32_t, Asked> asked_;
    std::uint32_t next_ = 1;
};

} // namespace safetp::client
