// A connection that is nobody's concern, unless it turns out to be FTP in clear.
#pragma once

#include "ftp/first_words.h"
#include "proxy/blind_relay.h"

#include <optional>
#include <string>
#include <string_view>

namespace safetp::proxy {

/// Borrows both channels.
class Passage {
public:
    Passage(const net::Executor& executor, net::Channel& client, net::Channel& server);
    Passage(const Passage&) = delete;

    enum class Outcome {
        ended, ///< both channels are closed
        ftp,   ///< both are open; nothing of what the client has said() went to the server
    };
    /// Listens to the first words of both ends (FirstWords), and passes on unread what is not FTP.
    net::Task<Outcome> run();

    std::string_view said() const { return said_; } ///< by the client and not passed on
    bool was_greeted() const { return words_.was_greeted(); }

    void finish(); ///< from now on the first end that is seen ends both directions

private:
    using Verdict = ftp::FirstWords::Verdict;

    net::Task<> listen_to_server();
    net::Task<> listen_to_client();
    net::Task<bool> hand_on_said(std::size_t bytes);
    void decide(Verdict verdict);
    bool is_open() const { return verdict_ == Verdict::open && client_.is_open() && server_.is_open(); }

    net::Executor executor_;
    net::Channel& client_;
    net::Channel& server_;
    BlindRelay relay_;
    ftp::FirstWords words_;
    std::string said_;
    Verdict verdict_ = Verdict::open;
};

} // namespace safetp::proxy
