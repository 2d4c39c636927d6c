// One FTP session, from accept to its last log line: two control connections, the dialogue between them, its data connections
// and its time limits. The steps of its life are run_session's body.
#pragma once

#include "base/unique_fd.h"
#include "ftp/control_channel.h"
#include "ftp/greeting.h"
#include "ftp/line_buffer.h"
#include "ftp/path_tracker.h"
#include "ftp/reception.h"
#include "net/tasks.h"
#include "proxy/access_step.h"
#include "proxy/blind_relay.h"
#include "proxy/data_channel.h"
#include "proxy/environment.h"
#include "proxy/server_reach.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace safetp::proxy {

class Session {
public:
    Session(const Environment& environment, const Front& front, std::uint64_t number, UniqueFd client, const Endpoint& peer,
        std::optional<Destination> destination = {}, ///< a client side's: none, and the client is asked for it
        std::string_view said = {}); ///< by the client already
    ~Session();
    Session(const Session&) = delete;

    /// The whole session; returns when every connection is closed and every task has ended.
    net::Task<> run();

    void drain();   ///< end as soon as no transfer is under way; a client that was left alone ends when it likes
    void cut_off(); ///< after drain(), end now
    /// Where we await a data connection that goes to `shown` as far as an impersonated server's client knows.
    std::optional<Endpoint> data_place_for(const Endpoint& shown) const;

private:
    using Clock = net::Clock;
    using Waiting = ftp::ControlChannel::Waiting;

    /// What is to be written to one control connection, and who writes it when the socket is full.
    struct Outbox {
        explicit Outbox(const net::Executor& executor) : filled(executor) {}
        std::string bytes;
        std::size_t sent = 0;
        tls::IoStep::Kind blocked_on = tls::IoStep::Kind::want_write;
        net::Event filled; ///< the socket would not take all of it: write() goes on
        std::size_t unsent() const { return bytes.size() - sent; }
        bool is_empty() const { return unsent() == 0; }
    };

    // session_server.cpp
    IpAddress server_address() const;
    net::Task<> reach_server();
    net::Task<> wait_at_doorstep();
    net::Task<Result<void>> open_server_connection();
    void look_at_greeting(std::string_view line);
    void limit_server_line();

    // session.cpp
    net::Task<> say_farewell();
    void end(ftp::EndReason reason);
    /// Carries out what the dialogue decides, gives it the client's lines, and lets it go on, until nothing more is to be done.
    void drive();
    bool let_next_command_go();
    void perform(ftp::Action& action);
    void perform_open_passive(bool is_protected);
    void perform_listen_for_server();
    IpAddress announced_address() const;
    void refresh_ticket();
    net::Task<> read_client();
    bool take_client_line();
    net::Task<> read_server();
    bool take_server_line();
    tls::IoStep::Kind read_from_server();
    net::Task<> write(net::Channel& channel, Outbox& outbox);
    void try_flush(net::Channel& channel, Outbox& outbox);
    net::Task<bool> flush_client();
    net::Task<> start_tls();
    net::Task<bool> handshake();
    net::Task<> end_tls();

    // session_access.cpp
    net::Task<> admit();
    net::Task<> watch_for_leaving(net::Event& decided);
    net::Task<> refuse(const Admission& admission);
    void end_before_dialogue();
    void put_banner_before(std::string& first_reply);

    // session_client_side.cpp
    net::Task<> reach_secure_server();
    net::Task<> receive_client();
    bool name_destination(const ftp::ProxyUser& wanted, ftp::Reception& reception);
    void ask_for_auth(const std::string& mechanism);
    net::Task<> carry_auth(std::string mechanism);
    net::Task<std::optional<std::string>> talk_about_auth(std::string mechanism);
    net::Task<std::optional<std::string>> read_reply(net::Channel& from, ftp::LineBuffer& lines);
    net::Task<> relay_blindly();
    net::Task<bool> client_begins_tls();

    // session_time.cpp
    net::Task<> watch_time();
    std::optional<Clock::time_point> waiting_deadline() const;
    std::optional<Clock::time_point> login_deadline() const;
    Clock::time_point next_deadline() const;
    void check_deadlines();
    void note_waiting();
    void arm_timer();

    // session_log.cpp
    void log_transfer(const ftp::TransferEnded& transfer);
    void log_client_line(std::string_view line) const;
    void log_server_line(std::string_view line) const;
    void log_output(const ftp::Output& output);
    void log_end() const;

    const Environment& environment_;
    const Front& front_;
    const std::uint64_t number_;
    const Endpoint peer_;
    const Endpoint local_; ///< where the client reached us
    const Clock::time_point began_ = Clock::now();

    const tls::TicketKey ticket_key_; ///< before what borrows it
    std::optional<Destination> destination_;
    std::optional<ServerReach> reach_;            ///< client side: has the TLS session that server_ and data_ borrow
    net::TaskGroup tasks_;
    net::Channel client_;
    std::optional<net::Channel> alone_with_;      ///< the server of a client that makes its own TLS
    BlindRelay* left_alone_ = nullptr;            ///< while the two talk
    std::optional<net::Channel> server_;
    std::optional<Doorstep::Place> doorstep_;     ///< until the raw ftpd greets
    ftp::LineBuffer client_lines_;
    ftp::LineBuffer server_lines_;
    Outbox to_client_;
    Outbox to_server_;
    ftp::Greeting greeting_; ///< of the raw ftpd, where it matters how long a line that one reads
    ftp::Policy policy_;     ///< the front's, with what is known of that by now
    ftp::ControlChannel dialogue_;
    ftp::PathTracker paths_;                      ///< for the logs
    DataChannel data_;
    Clock::time_point ticket_issued_{};

    net::Event client_may_speak_; ///< the dialogue has taken lines, or TLS is to begin or end
    net::Event ended_;
    bool tls_is_to_start_ = false;
    bool tls_is_to_end_ = false;
    bool is_handshaking_ = false; ///< nothing may be written to the client meanwhile
    bool is_ending_ = false;      ///< the dialogue is over: readers and writers leave
    bool is_closed_ = false;      ///< the farewell is over too
    bool is_driving_ = false;

    AccessStep* access_step_ = nullptr; ///< while it is under way
    net::Event client_left_;            ///< during it
    bool is_refused_silently_ = false;
    std::optional<std::chrono::seconds> linger_; ///< for the farewell, instead of the configured time
    std::string banner_;                         ///< goes before the first reply
    std::shared_ptr<const AccessRecord> access_record_;

    std::optional<ftp::EndReason> end_reason_;

    net::Timer timer_;
    Clock::time_point login_since_ = began_; ///< since when nobody is logged in
    bool was_logged_in_ = false;
    std::optional<Clock::time_point> handshake_deadline_;
    std::optional<Clock::time_point> farewell_deadline_;
    std::optional<Clock::time_point> connect_deadline_;
    Waiting waiting_ = Waiting::nothing;
    Clock::time_point waiting_since_ = Clock::now();

    bool has_asked_secret_ = false; ///< the last command to the server had a password: for the debug log

    std::uint64_t downloaded_ = 0;
    std::uint64_t uploaded_ = 0;
    unsigned transfers_ = 0;
    std::string tls_summary_ = "none";
};

/// A banner of hosts_options(5) as lines of a reply: "421-text" CRLF each. A code that a line has already is replaced.
std::string banner_lines(std::string_view banner, std::string_view code);

} // namespace safetp::proxy
