#include "setup/conversation.h"

#include "ftp/reply.h"

#include <cerrno>
#include <poll.h>
#include <span>
#include <sys/socket.h>

namespace safetp::setup {

using Kind = tls::IoStep::Kind;

namespace {

constexpr std::size_t kMaxLine = 16384; // as [limits] reply_line_bytes
constexpr std::size_t kMaxReply = 64 * 1024;

Result<void> wait_until(int fd, short events, Conversation::Clock::time_point deadline)
{
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Conversation::Clock::now());
        pollfd entry{fd, events, 0};
        const int count = left.count() <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left.count()));
        if (count > 0)
            return {};
        if (count == 0)
            return fail(ErrorCode::system_call, ETIMEDOUT);
        if (errno != EINTR)
            return fail(ErrorCode::system_call, errno);
    }
}

} // namespace

Conversation::Conversation(UniqueFd connected, Clock::time_point deadline)
    : stream_(std::move(connected))
    , lines_(kMaxLine)
    , deadline_(deadline)
{
}

Result<UniqueFd> dial(const Endpoint& endpoint, std::chrono::steady_clock::time_point deadline)
{
    const SocketAddress address = to_socket_address(endpoint);
    UniqueFd fd(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        return fail(ErrorCode::connect_failed, errno);
    if (::connect(fd.get(), address.get(), address.length) != 0) {
        if (errno != EINPROGRESS)
            return fail(ErrorCode::connect_failed, errno);
        if (const auto ready = wait_until(fd.get(), POLLOUT, deadline); !ready)
            return std::unexpected(ready.error());
        int error = 0;
        socklen_t length = sizeof error;
        if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
            return fail(ErrorCode::connect_failed, error);
    }
    return fd;
}

Result<void> Conversation::wait(Kind kind) const
{
    return wait_until(stream_.fd(), kind == Kind::want_write ? POLLOUT : POLLIN, deadline_);
}

Result<void> Conversation::send(std::string_view text)
{
    auto rest = std::as_bytes(std::span(text));
    while (!rest.empty()) {
        const auto step = stream_.try_write(rest);
        if (step.kind == Kind::done) {
            rest = rest.subspan(step.bytes);
            continue;
        }
        if (step.kind == Kind::failed)
            return std::unexpected(step.error);
        if (const auto ready = wait(step.kind); !ready)
            return ready;
    }
    return {};
}

Result<std::string> Conversation::read_line()
{
    using LineKind = ftp::LineBuffer::Line::Kind;
    for (;;) {
        const auto line = lines_.next();
        if (line.kind == LineKind::line)
            return std::string(line.text);
        if (line.kind == LineKind::too_long)
            return fail(ErrorCode::bad_file, EMSGSIZE, "an endless line");
        const auto step = stream_.try_read(lines_.free_space());
        if (step.kind == Kind::done) {
            lines_.commit(step.bytes);
            continue;
        }
        if (step.kind == Kind::eof)
            return fail(ErrorCode::peer_closed);
        if (step.kind == Kind::failed)
            return std::unexpected(step.error);
        if (const auto ready = wait(step.kind); !ready)
            return std::unexpected(ready.error());
    }
}

Result<std::string> Conversation::read_reply()
{
    ftp::ReplyReader reader;
    std::string text;
    for (;;) {
        const auto line = read_line();
        if (!line)
            return std::unexpected(line.error());
        const auto reply = reader.read(*line);
        if (!reply || text.size() > kMaxReply)
            return fail(ErrorCode::bad_file, 0, "no FTP: " + *line);
        if (ftp::is_preliminary(reply->code))
            continue;
        text += (text.empty() ? "" : "\n") + reply->text;
        if (reply->is_last)
            return text;
    }
}

Result<std::string> Conversation::ask(std::string_view line)
{
    if (const auto sent = send(std::string(line) + "\r\n"); !sent)
        return std::unexpected(sent.error());
    return read_reply();
}

Result<void> Conversation::start_tls(tls::ClientSession& session)
{
    if (!lines_.is_empty())
        return fail(ErrorCode::bad_file, 0, "plain text where TLS begins");
    if (const auto begun = stream_.start_tls(session, tls::Purpose::control); !begun)
        return begun;
    for (;;) {
        const auto step = stream_.try_handshake();
        if (step.kind == Kind::done)
            return {};
        if (step.kind == Kind::failed)
            return std::unexpected(step.error);
        if (step.kind == Kind::eof)
            return fail(ErrorCode::peer_closed);
        if (const auto ready = wait(step.kind); !ready)
            return ready;
    }
}

} // namespace safetp::setup
