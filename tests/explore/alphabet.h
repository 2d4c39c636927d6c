// All that can happen to a dialogue in one search, as a numbered list; and how the unit tests write it.
#pragma once

#include "configuration.h"
#include "ftp/control_channel.h"
#include "search.h"
#include "server.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::explore {

/// What a client's line asks for, as far as replies to it differ.
enum class Says : std::uint8_t { user, pass, acct, noop, quit, feat, type, other, setup, transfer, stat, for_us };

struct ClientLine {
    std::string text;
    Says says = Says::for_us;
    bool acts_at_once = false; ///< and not only in its turn
};

struct Occurrence {
    enum class Kind : std::uint8_t {
        client_line,
        client_too_long,
        client_end,
        reply,          ///< a final or preliminary one to what the raw ftpd was asked
        reply_and_more, ///< a final one, and the same once more is there already
        open_reply,     ///< the first line of several
        reply_again,    ///< its last final one once more
        silence,        ///< nothing more comes about a transfer that was reset
        more_of_reply,
        close_reply,
        close_bare, ///< of several lines; the last may be a code alone
        unasked_421,
        no_reply,
        server_too_long,
        server_end,
        server_unreachable,
        tls_started,
        tls_failed,
        plaintext_after_auth,
        auth_accepted,
        auth_refused,
        passive_opened,
        server_listener,
        setup_failed,
        data_over,
        delivered,
        client_broken,
        server_broken,
        timeout,
        login_timeout,
        drain,
        drain_over,
        broken,
    };
    Kind kind;
    std::uint8_t index = 0; ///< of client_lines() or server_replies()
};

/// One call of the dialogue.
struct Input {
    Occurrence::Kind kind;
    std::string_view text; ///< of lines
};
void give(ftp::ControlChannel& channel, const Input& input);
/// A line of a unit test's script; `channel` as it was before.
std::string to_script(const Input& input, const ftp::ControlChannel& channel);
std::string escaped(std::string_view text);

extern const Endpoint kClient; ///< 192.0.2.9
extern const Endpoint kClient6;
extern const Endpoint kGateway; ///< what is shown to client and server

class Alphabet {
public:
    explicit Alphabet(const Configuration& configuration);

    const std::vector<Occurrence>& occurrences() const { return occurrences_; } ///< Event is an index of it
    const std::vector<ClientLine>& client_lines() const { return client_lines_; }
    /// Stands behind them for one that the line buffer has thrown away.
    std::uint8_t too_long_line() const { return static_cast<std::uint8_t>(client_lines_.size() - 1); }

private:
    std::vector<ClientLine> client_lines_;
    std::vector<Occurrence> occurrences_;
};

} // namespace safetp::explore
