#include "supervisor/inquiries.h"

namespace safetp::supervisor {

net::Task<Inquiries::Answer> Inquiries::ask(
    Request request, const Facts* facts, int passed_fd, proxy::AccessWait* wait)
{
    Waiting waiting(executor_);
    const std::uint32_t id = next_id_++;
    request.id = id;
    if (const auto sent = send_request(channel_, request, facts, passed_fd); !sent) {
        waiting.answer.os_error = sent.error().os_error != 0 ? sent.error().os_error : EIO;
        co_return std::move(waiting.answer);
    }
    waiting_.emplace(id, &waiting);
    if (wait != nullptr)
        co_await wait->wait(waiting.answered);
    else
        co_await waiting.answered.wait();
    waiting_.erase(id);
    co_return std::move(waiting.answer);
}

void Inquiries::take(ReceivedNotice received)
{
    const auto found = waiting_.find(received.notice.id);
    if (found == waiting_.end())
        return;
    const Notice& notice = received.notice;
    found->second->answer = {notice.os_error, notice.value, notice.version, std::move(received.passed)};
    found->second->answered.notify();
}

} // namespace safetp::supervisor
