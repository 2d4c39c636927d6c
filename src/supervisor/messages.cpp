#include "supervisor/messages.h"

#include "process/records.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace safetp::supervisor {

namespace {

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

bool is_sound(const RequestPacket& message, const process::Packet& got)
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
        return process::send_packet(channel, std::as_bytes(std::span(&request, 1)), passed_fd);
    const RequestPacket message{request, *facts};
    return process::send_packet(channel, std::as_bytes(std::span(&message, 1)), passed_fd);
}

Result<void> send_notice(int channel, const Notice& notice, int passed_fd)
{
    return process::send_packet(channel, std::as_bytes(std::span(&notice, 1)), passed_fd);
}

Result<std::optional<ReceivedRequest>> receive_request(int channel)
{
    RequestPacket message;
    auto packet = process::receive_packet(channel, std::as_writable_bytes(std::span(&message, 1)));
    if (!packet)
        return std::unexpected(packet.error());
    if (!*packet)
        return std::optional<ReceivedRequest>{};
    process::Packet& got = **packet;
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
    auto packet = process::receive_packet(channel, std::as_writable_bytes(std::span(&received.notice, 1)));
    if (!packet)
        return std::unexpected(packet.error());
    if (!*packet)
        return std::optional<ReceivedNotice>{};
    process::Packet& got = **packet;
    if (got.bytes != sizeof received.notice || got.is_cut || got.descriptors.size() > 1 || !is_known(received.notice.kind))
        return fail(ErrorCode::supervisor, 0, "malformed notice");
    if (!got.descriptors.empty())
        received.passed = std::move(got.descriptors.front());
    return received;
}

} // namespace safetp::supervisor
