#include "net/channel.h"

#include "net/sockets.h"

#include <system_error>
#include <utility>

namespace safetp::net {

Channel::Channel(const Executor& executor, UniqueFd fd)
    : stream_(std::move(fd))
    , waiter_(executor, stream_.fd())
{
    std::error_code ignored; // of a descriptor that is none: the first read says so
    waiter_.non_blocking(true, ignored);
}

Channel::~Channel()
{
    if (waiter_.is_open())
        waiter_.release();
}

Task<bool> Channel::wait(tls::IoStep::Kind want)
{
    if (!is_open())
        co_return false;
    const auto direction = want == tls::IoStep::Kind::want_write ? Descriptor::wait_write : Descriptor::wait_read;
    std::error_code failure;
    co_await waiter_.async_wait(direction, into(failure));
    co_return !failure && is_open();
}

Task<tls::IoStep> Channel::shake_hands()
{
    for (;;) {
        const tls::IoStep step = stream_.try_handshake();
        if (step.kind != tls::IoStep::Kind::want_read && step.kind != tls::IoStep::Kind::want_write)
            co_return step;
        acknowledge_at_once(fd()); // GnuTLS and OpenSSL send a flight in parts, and Nagle's algorithm holds the second one back
        const bool is_ready = co_await wait(step.kind);
        if (!is_ready)
            co_return step;
    }
}

void Channel::cancel_waits()
{
    if (is_open())
        waiter_.cancel();
}

void Channel::end_in_order()
{
    if (!is_open())
        return;
    reset_on_close(fd(), false);
    stream_.shutdown_write();
}

void Channel::close()
{
    if (!is_open())
        return;
    waiter_.release(); // cancels the waits and leaves epoll before the descriptor's number can be used anew
    stream_.close();
}

void Channel::reset()
{
    if (!is_open())
        return;
    waiter_.release();
    stream_.reset();
}

} // namespace safetp::net
