// What a worker asks of its supervisor, each question waited for by one coroutine.
#pragma once

#include "proxy/access_helper.h"
#include "supervisor/messages.h"

#include <map>

namespace safetp::supervisor {

class Inquiries {
public:
    /// `channel` is the worker's end, borrowed.
    Inquiries(net::Executor executor, int channel) : executor_(executor), channel_(channel) {}

    struct Answer {
        int os_error = 0; ///< ECANCELED: the wait was over before
        std::uint32_t value = 0;
        std::uint64_t version = 0;
        UniqueFd passed;
    };

    /// `facts` and `passed_fd` where the kind has them. Without `wait`: for as long as it takes. The request's id is set here.
    net::Task<Answer> ask(
        Request request, const Facts* facts = nullptr, int passed_fd = -1, proxy::AccessWait* wait = nullptr);

    void take(ReceivedNotice received); ///< an answer; what nobody waits for any more is dropped

private:
    struct Waiting {
        explicit Waiting(const net::Executor& executor) : answered(executor) {}
        net::Event answered;
        Answer answer{.os_error = ECANCELED, .value = 0, .version = 0, .passed = {}};
    };

    net::Executor executor_;
    int channel_;
    std::map<std::uint32_t, Waiting*> waiting_;
    std::uint32_t next_id_ = 1;
};

} // namespace safetp::supervisor
