// The dialogue between client and raw ftpd: events in, text and actions out. Pure: no socket, no clock, no TLS library, so a
// whole session can be tested, and fuzzed, as a table.
//
// One command at a time is with the raw ftpd; what the client sends meanwhile waits in line, in order (RFC 959 section 5.4),
// and goes on only after all that has come from the raw ftpd was heard. Only ABOR and STAT act at once on a transfer under way.
// The raw ftpd never sees ABOR, AUTH, PBSZ, PROT or an address of the client's.
#pragma once

#include "base/ip_address.h"
#include "ftp/actions.h"
#include "ftp/command_queue.h"
#include "ftp/policy.h"
#include "ftp/question.h"
#include "ftp/reply.h"
#include "ftp/transfer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::ftp {

class ControlChannel {
public:
    /// `client` and `server`: the peers of the control connections; the server may be named later. `policy` must outlive this.
    ControlChannel(const Policy& policy, const Endpoint& client, const IpAddress& server);
    ~ControlChannel();
    void set_server(const IpAddress& server) { server_is_ipv4_ = server.is_ipv4(); } ///< before its first line
    /// USER may name this server behind an @, as the client has typed it at first; other servers are refused (reception.h).
    void set_proxy_name(std::string typed) { proxy_name_ = std::move(typed); }

    // Events. After End has been put out, all are ignored.
    void on_client_line(std::string_view line);
    void on_client_line_too_long();
    void on_client_end();                        ///< FIN or close_notify
    void on_server_line(std::string_view line);
    void on_server_line_too_long();
    void on_server_end();
    void on_server_unreachable();                ///< never connected, or could not be started
    void on_server_unusable(EndReason reason, std::string_view farewell); ///< reached, but not to be spoken to
    void on_auth_answered(bool is_accepted, std::string_view reply);     ///< AskForAuth: `reply` is a line without its end
    void on_tls_started(std::string server_name); ///< also at the start of an implicit session
    void on_tls_failed();
    void on_plaintext_after_auth();              ///< bytes were found behind AUTH's line
    void on_passive_opened(const Endpoint& shown_to_client);
    void on_server_listener(const Endpoint& shown_to_server);
    void on_data_setup_failed(std::string_view why);
    /// Download: the raw ftpd's EOF came and every byte was written to the client. Upload: the client's orderly end was
    /// passed on.
    void on_transfer_data_over();
    void on_transfer_delivered();                ///< download: after FinishDownload, all is with the client
    void on_transfer_failed(DataFailure failure);
    void on_drain();                             ///< end as soon as nothing is under way
    void on_drain_over();                        ///< end now
    void on_connection_broken();                 ///< a control connection failed below FTP
    /// `aftermath`: the client knows that its transfer failed, the server has not yet said that it is over.
    enum class Waiting : std::uint8_t { greeting, client, server, aftermath, data, nothing };
    Waiting waiting() const; ///< for whom; what the timers run on
    bool expects_server() const { return pending_ != Question::nothing; } ///< it owes a reply, or the rest of one
    void on_timeout(Waiting for_whom);
    void on_login_timeout();

    bool can_proceed() const; ///< something waits for its turn
    void proceed(); ///< only when all that has come from the server was heard: what comes before a question is no answer to it
    bool wants_client_lines() const; ///< false: leave them in the buffer, at last in the client's socket
    bool is_logged_in() const { return login_ == Login::done; }
    bool has_ended() const { return has_ended_; }
    bool is_transferring() const { return transfer_.has_value(); }
    const std::string& user() const { return user_; }
    bool user_is_anonymous() const;
    void report_progress(std::uint64_t bytes) { transferred_bytes_ = bytes; } ///< for STAT
    Output take_output();
private:
    friend struct DialogueProbe; ///< tests/explore copies dialogues, and reads all of their state
    ControlChannel(const ControlChannel&) = default;
    enum class Login : std::uint8_t { none, user_given, done };
    enum class Setup : std::uint8_t { none, preparing, ready };

    // control_channel.cpp: queue, dispatch, replies
    void take(Waited waited);
    bool needs_no_server() const;
    void answer_without_server();
    bool is_drain_due() const;
    void execute(Command& command);
    void refuse(CommandProblem problem);
    void count_bad_command();
    void execute_host(const Command& command);
    void execute_type(const Command& command);
    void execute_abor();
    void forward(const Command& command, Question question);
    void on_reply_line(const ReplyLine& line);
    void on_final(int code);
    void on_greeting_final(int code);
    void on_unexpected(const ReplyLine& line);
    void end_out_of_step(std::string_view event, std::string_view what, const ReplyLine& line);
    void note_words(std::string_view event, std::string_view words);
    void reply(std::string_view line);
    void send(std::string_view text);
    std::string naming_server(std::string_view text) const;
    void act(Action action);
    void end(EndReason reason, std::string_view farewell = {});

    // control_login.cpp: USER, PASS, ACCT
    void execute_user(Command command);
    void on_user_final(int code);
    void on_login_final(int code);
    void log_in();
    void note_login_failure();

    // control_security.cpp: RFC 2228, RFC 4217, what may be said in clear
    bool is_client_leg_secured() const { return policy_.secure_leg == SecureLeg::client; }
    bool is_kept_from_server() const;
    bool is_allowed_now(const Command& command);
    bool answer_before_tls(const Command& command);
    void answer_features(std::string_view servers_own);
    bool was_secured() const { return is_secure_ || was_cleared_; } ///< then PROT counts
    bool accepts_auth(const Command& command) const;
    void execute_security(const Command& command);
    void execute_auth(const Command& command);
    void leave_alone(const Command& command);
    void execute_pbsz(const Command& command);
    void execute_prot(const Command& command);
    void execute_ccc();

    // control_data.cpp: PASV to EPRT, transfers
    void execute_epsv(const Command& command);
    void execute_pasv();
    void execute_port(const Command& command);
    void execute_eprt(const Command& command);
    bool is_client_address(const Endpoint& target);
    void prepare_data(const Command& command, std::optional<Endpoint> active_target);
    void ask_server_for_data();
    void ask_server_next_mode();
    bool awaits_shell() const;
    void on_data_setup_final(int code, const std::string& text);
    void on_server_side_ready();
    void forget_data();
    void execute_transfer(Command command);
    void start_transfer();
    void on_transfer_line(const ReplyLine& line);
    void settle_transfer();
    void settle_failure();
    void settle_refusal();
    void give_verdict(std::string_view line);
    void finish_transfer(bool is_complete);
    void abort_transfer();
    void abort_data();
    void ask_whether_over();
    bool is_status_due() const;
    void execute_status_now();

    const Policy& policy_;
    const Endpoint client_;
    bool server_is_ipv4_;
    Output output_;
    bool has_ended_ = false;
    bool is_draining_ = false;

    CommandQueue queue_;
    bool auth_is_waiting_ = false; ///< AUTH was taken: nothing may follow before TLS
    bool auth_is_asked_ = false;   ///< AskForAuth was put out
    bool abor_was_done_ = false;   ///< an ABOR in the queue has already ended its transfer
    Question pending_ = Question::greeting;
    bool server_has_ended_ = false; ///< after its last word on a transfer whose data are still on their way
    ReplyReader reply_reader_;
    std::size_t reply_bytes_ = 0;
    unsigned preliminaries_ = 0;   ///< to the command that is pending
    std::string collected_;        ///< lines of a reply that is read whole: greeting, FEAT, data set-up

    Login login_ = Login::none;
    std::string user_;       ///< who is logged in; while nobody is, who tries
    std::string asked_user_; ///< of the last USER that went to the raw ftpd
    std::string given_user_; ///< of the last one that it did not refuse
    std::string proxy_name_; ///< empty: USER says nothing about servers
    bool is_clear_anonymous_ = false;    ///< in clear the raw ftpd has accepted USER anonymous, and no other was tried since
    bool has_changed_in_clear_ = false;  ///< something that outlives AUTH was said to the raw ftpd in clear
    bool is_ascii_ = true; ///< TYPE A is where FTP begins (RFC 959 section 5.1)
    bool asked_for_ascii_ = true;
    unsigned login_failures_ = 0;
    unsigned bad_commands_ = 0;

    bool tls_is_starting_ = false; ///< the handshake goes on: nothing is said
    bool is_secure_ = false;
    bool was_cleared_ = false;     ///< CCC: PROT is frozen
    bool pbsz_given_ = false;
    bool is_data_protected_ = false;
    std::string server_name_;      ///< SNI

    Setup setup_ = Setup::none;
    bool asks_again_ = false;      ///< preparing: the raw ftpd is to be asked in its next mode
    Command setup_command_;
    std::optional<Endpoint> active_target_;
    bool only_epsv_ = false;       ///< EPSV ALL
    ServerDataMode server_mode_ = ServerDataMode::epsv; ///< being tried, or what has worked
    std::optional<Transfer> transfer_;
    std::uint64_t transferred_bytes_ = 0;
};

} // namespace safetp::ftp
