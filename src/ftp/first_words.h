// What the two ends of a connection say first, and whether that is FTP (RFC 959) on a port that nobody has named. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace safetp::ftp {

/// An FTP server greets with a reply, three digits and a blank or hyphen, and its client answers with a command of FTP's. SMTP
/// greets alike and is known by its client's first command; so are other protocols. A client that says USER before it was
/// greeted is taken at its word. What the server says may go to the client at any time: no client tells secrets unasked.
class FirstWords {
public:
    enum class Verdict {
        open,  ///< listen on
        other, ///< not FTP: all may go on unread
        ftp,   ///< nothing of what the client says now may go to the server
    };
    struct Decision {
        Verdict verdict = Verdict::open;
        std::size_t harmless = 0; ///< while open: so many bytes of what the client says may go to the server
    };

    /// What has come from the server.
    Verdict on_server(std::string_view bytes);
    /// All that has come from the client and not gone to the server yet.
    Decision on_client(std::string_view bytes) const;

    bool was_greeted() const { return !greeting_.empty(); }

private:
    std::string greeting_; ///< its first bytes, as far as they have come
};

} // namespace safetp::ftp
