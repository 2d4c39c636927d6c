// What the raw ftpd has been asked, and which replies can be an answer to it (RFC 959 section 5.4, RFC 2389, RFC 2428,
// RFC 7151). A reply that cannot be one belongs to another command: client and raw ftpd are out of step, and nothing may be
// built on it.
#pragma once

#include <cstdint>

namespace safetp::ftp {

enum class Question : std::uint8_t {
    nothing, greeting,
    relayed, ///< any other command: its reply means something to the client only
    user, pass, acct, quit, host, feat, type,
    epsv, pasv, port, ///< PORT and EPRT
    transfer,
    own_noop, ///< the gateway's behind a transfer that ended nowhere: nobody waits for its reply
};

/// `code`: of a preliminary or final reply, 100 to 599. Refusals (4yz, 5yz) answer every question.
bool can_answer(Question question, int code);

} // namespace safetp::ftp
