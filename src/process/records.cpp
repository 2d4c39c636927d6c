#include "process/records.h"

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace safetp::process {

namespace {

/// Every descriptor is taken into ownership before anything is judged, so that a malformed message leaks none.
std::vector<UniqueFd> take_descriptors(msghdr& message)
{
    std::vector<UniqueFd> result;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            result.emplace_back(fd);
        }
    }
    return result;
}

} // namespace

Result<std::pair<UniqueFd, UniqueFd>> make_channel()
{
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fail(ErrorCode::system_call, errno, "socketpair");
    return std::pair(UniqueFd(pair[0]), UniqueFd(pair[1]));
}

Result<void> send_packet(int channel, std::span<const std::byte> bytes, int passed_fd)
{
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (passed_fd >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &passed_fd, sizeof passed_fd);
    }
    while (::sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EINTR)
            return fail(ErrorCode::system_call, errno, "sending to another process of ours");
    }
    return {};
}

Result<std::optional<Packet>> receive_packet(int channel, std::span<std::byte> buffer)
{
    alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = -1;
    while ((got = ::recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return std::optional<Packet>{};
    if (got < 0 && errno != ECONNRESET)
        return fail(ErrorCode::system_call, errno, "receiving from another process of ours");
    Packet packet;
    if (got >= 0)
        packet.descriptors = take_descriptors(message);
    if (got <= 0)
        return fail(ErrorCode::peer_closed, 0, "another process of ours");
    packet.bytes = static_cast<std::size_t>(got);
    packet.is_cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    return packet;
}

bool RecordReader::take_text(std::string& text)
{
    std::uint32_t size = 0;
    if (!take(size) || rest_.size() < size)
        return false;
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
}

void RecordWriter::append_text(std::string_view text)
{
    append(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
}

} // namespace safetp::process
