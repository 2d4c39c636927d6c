#include "net/splice_pipe.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace safetp::net {

namespace {

using Kind = tls::IoStep::Kind;

constexpr std::size_t kChunk = std::size_t{512} << 10; ///< half of /proc/sys/fs/pipe-max-size as Linux has it

tls::IoStep moved(ssize_t bytes, Kind wanted)
{
    if (bytes > 0)
        return {.kind = Kind::done, .bytes = static_cast<std::size_t>(bytes)};
    if (bytes == 0)
        return {.kind = Kind::eof};
    if (errno == EAGAIN || errno == EINTR)
        return {.kind = wanted};
    const bool is_reset = errno == ECONNRESET || errno == EPIPE;
    return {Kind::failed, 0, Error{is_reset ? ErrorCode::connection_reset : ErrorCode::system_call, errno, "splice"}};
}

ssize_t move(int from, int to, std::size_t bytes)
{
    return ::splice(from, nullptr, to, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

} // namespace

Result<SplicePipe> SplicePipe::make()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(ErrorCode::system_call, errno, "pipe");
    SplicePipe pipe;
    pipe.out_.reset(ends[0]);
    pipe.in_.reset(ends[1]);
    ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kChunk)); // a smaller one works too
    return pipe;
}

tls::IoStep SplicePipe::try_fill(int from)
{
    const auto step = moved(move(from, in_.get(), kChunk), Kind::want_read);
    held_ += step.bytes;
    return step;
}

tls::IoStep SplicePipe::try_drain(int to)
{
    const auto step = moved(move(out_.get(), to, held_), Kind::want_write);
    held_ -= step.bytes;
    return step;
}

} // namespace safetp::net
