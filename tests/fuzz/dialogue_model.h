// What the fuzzer of the dialogue keeps beside it: just enough to say what must never happen, whatever client, raw ftpd and shell
// do. Who owes which reply, whether TLS is on, what became of the transfer.
#pragma once

#include "ftp/control_channel.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::fuzz {

using namespace safetp::ftp;

inline const Endpoint kClient{IpAddress::from_ipv4({192, 0, 2, 9}), 40'000};

/// The fuzzer's input, as choices.
class Bytes {
public:
    explicit Bytes(std::string_view input)
        : rest_(input)
    {
    }
    bool is_empty() const { return rest_.empty(); }
    std::uint8_t byte()
    {
        if (rest_.empty())
            return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    std::string line() // never with LF: the line buffer has taken it away
    {
        std::string text(rest_.substr(0, byte() % 64u));
        rest_.remove_prefix(std::min(rest_.size(), text.size()));
        std::ranges::replace(text, '\n', ' ');
        return text;
    }

private:
    std::string_view rest_;
};

/// With DIALOGUE_TRACE=1 in the environment a finding tells its story.
void trace(const char* what, std::string_view text);

bool is_anonymous(const Command& command);

class DialogueModel {
public:
    explicit DialogueModel(Bytes& bytes);

    void run();

private:
    bool is_client_side() const { return policy_.secure_leg == SecureLeg::server; }

    // dialogue_events.cpp: what happens
    void happen(unsigned choice);
    void client_says(std::string_view line);
    void server_says(std::string_view line);
    void what_is_due(unsigned choice);
    void shell_says(unsigned choice);
    void happen_rarely(unsigned choice);
    void start_tls();
    void answer_auth(bool is_accepted);
    void data_over();
    void delivered();
    void data_failed(DataFailure failure);
    void note_failure();

    // dialogue_checks.cpp: what must hold
    void check_output(const Output& output);
    void check_server_text(std::string_view text);
    void check_forwarded(const Command& command);
    void check_client_text(std::string_view text);
    void check_client_final(int code);
    void check_state();
    void check_action(const StartTls&);
    void check_action(const EndTls&);
    void check_action(const AskForAuth& action);
    void check_action(const ExpectTransfer&);
    void check_action(const OpenPassive& action);
    void check_action(const ListenForServer&);
    void check_action(const UseActive& action);
    void check_action(const DialServer& action);
    void check_action(const StartTransfer& action);
    void check_action(const FinishDownload&);
    void check_action(const AwaitEnd&);
    void check_action(const EndData&);
    void check_action(const AbortData&);
    void check_action(const AbortClientData&);
    void check_action(const CloseData&);
    void check_action(const TransferEnded& action);
    void check_action(const LoggedIn&);
    void check_action(const LoginFailed&);
    void check_action(const Note& action);
    void check_action(const End& action);

    struct TransferModel {
        Direction direction = Direction::download;
        bool is_expected = false;
        bool has_started = false;
        bool data_over = false;
        bool delivered = false;
        bool has_failed = false;
        bool was_aborted = false;
        bool was_ended = false; ///< the client's data connection, in order
        std::optional<int> final_code; ///< what the client was told
        bool preliminary_seen = false;
    };

    Bytes& bytes_;
    Policy policy_;
    ControlChannel machine_;
    bool ended_ = false;
    bool is_secure_ = false;
    bool was_cleared_ = false;
    bool tls_may_start_ = false;
    bool greeted_ = false;
    bool client_was_greeted_ = false;
    bool user_is_anonymous_ = false;
    ReplyReader server_reader_;
    ReplyReader client_reader_;
    unsigned finals_owed_ = 1; ///< its greeting
    bool was_told_in_clear_ = false;
    std::optional<int> server_final_;
    std::string asked_;
    struct Owed {
        Verb verb = Verb::other;
        bool is_anonymous = false;
    };
    std::deque<Owed> commands_; ///< of the client's that have had no final reply
    bool is_stat_now_ = false;
    bool wants_passive_ = false;
    bool wants_listener_ = false;
    bool finishing_ = false;
    bool auth_is_asked_ = false;
    bool was_left_alone_ = false;
    std::optional<TransferModel> transfer_;
    std::optional<int> early_final_; ///< of a transfer that begins and ends in one output
};

} // namespace safetp::fuzz
