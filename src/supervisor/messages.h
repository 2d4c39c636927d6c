// Sends and receives the structs of protocol.h over a SOCK_SEQPACKET pair, with a descriptor where one belongs.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/protocol.h"

#include <optional>

namespace safetp::supervisor {

bool has_facts(RequestKind kind);
std::array<std::uint8_t, 16> to_bytes(const IpAddress& address); ///< Request::client; IpAddress::from_ipv6 leads back

/// Neither blocks: a full queue is system_call with EAGAIN. The descriptor is only borrowed. `facts` where the kind has them.
Result<void> send_request(int channel, const Request& request, const Facts* facts = nullptr, int passed_fd = -1);
Result<void> send_notice(int channel, const Notice& notice, int passed_fd = -1);

struct ReceivedRequest {
    Request request;
    Facts facts{};   ///< all texts end with NUL
    UniqueFd passed; ///< close-on-exec; with twist only
};

struct ReceivedNotice {
    Notice notice;
    UniqueFd passed; ///< close-on-exec; none unless one came with the notice
};

/// Neither blocks. Empty: nothing there now. peer_closed: the other end is gone. supervisor: malformed (wrong size, unknown
/// kind, a descriptor where none belongs); all descriptors that came with it are closed.
Result<std::optional<ReceivedRequest>> receive_request(int channel);
Result<std::optional<ReceivedNotice>> receive_notice(int channel);

} // namespace safetp::supervisor
