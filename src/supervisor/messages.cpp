#include "supervisor/messages.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <sys/socket.h>
#include <vector>

namespace safetp::supervisor {

namespace {

struct Packet {
    std::size_t bytes = 0;
    bool is_cut = false; ///< more bytes or descriptors came than a message may have
    std::vector<UniqueFd> descriptors;
};

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
            return fail(ErrorCode::system_call, errno, "sending between supervisor and worker");
    }
    return {};
}

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
        return fail(ErrorCode::system_call, errno, "receiving between supervisor and worker");
    Packet packet;
    if (got >= 0)
        packet.descriptors = take_descriptors(message);
    if (got <= 0)
        return fail(ErrorCode::peer_closed, 0, "between supervisor and worker");
    packet.bytes = static_cast<std::size_t>(got);
    packet.is_cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    return packet;
}

/// What a worker may send: with facts or without.
struct RequestPacket {
    Request request{};
    Facts facts{};
};
static_assert(sizeof(RequestPacket) == sizeof(Request) + sizeof(Facts));

bool is_known(RequestKind kind) { return kind >= RequestKind::start_server && kind <= RequestKind::session_end; }

bool is_sound(const Facts& facts)
{
    const auto ends = [](const auto& text) { return std::memchr(text, '\0', sizeof text) != nullptr; };
    return ends(facts.daemon) && ends(facts.client_address) && ends(facts.server_address) && ends(facts.client_name)
        && ends(facts.server_name) && ends(facts.client_user) && facts.answer_count <= Facts::kMaxAnswers;
}

bool is_sound(const RequestPacket& message, const Packet& got)
{
    const RequestKind kind = message.request.kind;
    if (got.is_cut || got.bytes < sizeof(Request) || !is_known(kind))
        return false;
    const std::size_t wanted = has_facts(kind) ? sizeof(RequestPacket) : sizeof(Request);
    const std::size_t descriptors = kind == RequestKind::twist ? 1 : 0;
    return got.bytes == wanted && got.descriptors.size() == descriptors && (!has_facts(kind) || is_sound(message.facts));
}

bool is_known(NoticeKind kind)
{
    return kind == NoticeKind::answer || kind == NoticeKind::drain || kind == NoticeKind::finish
        || kind == NoticeKind::reopen_log || kind == NoticeKind::announced_name;
}

} // namespace

Result<std::pair<UniqueFd, UniqueFd>> make_channel()
{
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fail(ErrorCode::system_call, errno, "socketpair");
    return std::pair(UniqueFd(pair[0]), UniqueFd(pair[1]));
}

bool has_facts(RequestKind kind)
{
    return kind == RequestKind::start_server_for || kind == RequestKind::run_command || kind == RequestKind::twist;
}

std::array<std::uint8_t, 16> to_bytes(const IpAddress& address)
{
    if (!address.is_ipv4())
        return address.bytes();
    std::array<std::uint8_t, 16> mapped{};
    mapped[10] = mapped[11] = 0xff;
    std::ranges::copy(address.ipv4_bytes(), mapped.begin() + 12);
    return mapped;
}

Result<void> send_request(int channel, const Request& request, const Facts* facts, int passed_fd)
{
    if (facts == nullptr)
        return send_packet(channel, std::as_bytes(std::span(&request, 1)), passed_fd);
    const RequestPacket message{request, *facts};
    return send_packet(channel, std::as_bytes(std::span(&message, 1)), passed_fd);
}

Result<void> send_notice(int channel, const Notice& notice, int passed_fd)
{
    return send_packet(channel, std::as_bytes(std::span(&notice, 1)), passed_fd);
}

Result<std::optional<ReceivedRequest>> receive_request(int channel)
{
    RequestPacket message;
    auto packet = receive_packet(channel, std::as_writable_bytes(std::span(&message, 1)));
    if (!packet)
        return std::unexpected(packet.error());
    if (!*packet)
        return std::optional<ReceivedRequest>{};
    Packet& got = **packet;
    if (!is_sound(message, got))
        return fail(ErrorCode::supervisor, 0, "malformed request");
    ReceivedRequest received{message.request, message.facts, {}};
    if (!got.descriptors.empty())
        received.passed = std::move(got.descriptors.front());
    return received;
}

Result<std::optional<ReceivedNotice>> receive_notice(int channel)
{
    ReceivedNotice received{};
    auto packet = receive_packet(channel, std::as_writable_bytes(std::span(&received.notice, 1)));
    if (!packet)
        return std::unexpected(packet.error());
    if (!*packet)
        return std::optional<ReceivedNotice>{};
    Packet& got = **packet;
    if (got.bytes != sizeof received.notice || got.is_cut || got.descriptors.size() > 1 || !is_known(received.notice.kind))
        return fail(ErrorCode::supervisor, 0, "malformed notice");
    if (!got.descriptors.empty())
        received.passed = std::move(got.descriptors.front());
    return received;
}

} // namespace safetp::supervisor
