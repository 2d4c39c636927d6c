// The data connections of one session: at most one pair at a time, prepared by PASV, EPSV, PORT or EPRT, used by one transfer.
// Ports come from the peers' text, addresses never: each side is reached at, and accepted from, its control connection's
// address.
#pragma once

#include "base/ip_address.h"
#include "ftp/control_channel.h"
#include "net/sockets.h"
#include "net/splice_pipe.h"
#include "net/tasks.h"
#include "proxy/environment.h"
#include "tls/client_context.h"
#include "tls/stream.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace safetp::proxy {

class DataChannel {
public:
    struct Handlers {
        std::function<void()> data_over; ///< see ControlChannel::on_transfer_data_over
        std::function<void()> delivered;
        std::function<void(ftp::DataFailure)> failed;
        std::function<void()> deadline_nearer; ///< deadline() is earlier than it was
    };

    /// The two control connections, as the kernel knows them.
    struct Peers {
        Endpoint client;
        IpAddress client_side; ///< our address on the client's control connection
        Endpoint server;
        IpAddress server_side;
    };

    /// All of them must outlive this; `tasks` must be empty before it goes.
    DataChannel(const Environment& environment, const Front& front, net::TaskGroup& tasks, std::uint64_t session,
        Handlers handlers);
    ~DataChannel();

    void set_peers(const Peers& peers) { peers_ = peers; }
    /// The control connection's TLS session, which data connections may have to resume. `key` must outlive this.
    void bind_to(const tls::TicketKey& key, std::string client_fingerprint);

    /// The leg with the server is under TLS: its data connections resume `session`, or show the same key. It must outlive this.
    void secure_server_with(tls::ClientSession& session) { server_tls_ = &session; }

    // Preparation: first the raw ftpd's side, then the client's, which sets it going.
    void dial_server(std::uint16_t port);
    Result<Endpoint> listen_for_server();
    /// Where the client may come. `is_protected`: it may begin TLS before its transfer is started.
    Result<Endpoint> open_passive(bool is_protected);
    std::optional<Endpoint> passive_place() const; ///< where it is awaited still
    void use_active(const Endpoint& client);

    void expect_transfer(); ///< the server has been told of a transfer
    void start(ftp::Direction direction, bool is_protected);
    void finish_download(); ///< the raw ftpd has given its final reply: close_notify may be sent
    void await_end();       ///< it has refused: its data must end soon
    void end_client();      ///< it has refused: close_notify and FIN to the client
    void abort();           ///< RST to both
    void abort_client();    ///< RST to the client; the server's leg stays for abort() or close()
    void close();           ///< what is left of a finished or unused pair
    void close_all();       ///< and connections that only wait for the client's own end

    std::optional<net::Clock::time_point> deadline() const; ///< when on_expiry is due
    void on_expiry(net::Clock::time_point now);

    std::uint64_t bytes() const { return bytes_; } ///< payload of the current or last transfer
    net::Clock::duration elapsed() const { return net::Clock::now() - started_at_; }
    /// Whether a data connection has resumed the control session since this was last asked: then its ticket is used up.
    bool take_resumed() { return std::exchange(has_resumed_, false); }

private:
    struct Attempt;
    struct Comer;
    using Outcome = std::optional<ftp::DataFailure>; ///< nothing: went well, or was abandoned meanwhile
    struct Choice {
        Comer* client = nullptr;
        Outcome failure; ///< where there is no client
    };

    Attempt& prepared();
    void launch();
    void abandon(bool with_reset);
    void wake(Attempt& attempt);
    void wake_comers(Attempt& attempt);
    void let_linger(Attempt& attempt, std::chrono::seconds time);
    void end_lingering(Attempt& attempt);
    void limit_connecting(Attempt& attempt);
    net::Task<> run(std::unique_ptr<Attempt> attempt);
    net::Task<Outcome> carry_out(Attempt& attempt);

    // data_client_leg.cpp
    net::Task<Outcome> reach_client(Attempt& attempt);
    net::Task<Outcome> dial_client(Attempt& attempt);
    net::Task<Outcome> secure_client(Attempt& attempt, net::Channel& client, bool& is_tls_begun);
    net::Task<> wait_for_first_byte(Attempt& attempt, net::Channel& client);
    bool begin_tls(net::Channel& client);
    void take_who_waits(Attempt& attempt);
    net::Task<> part_in_order(Attempt& attempt, net::Channel& client, bool is_tls_begun);
    net::Task<bool> shows_hello(Attempt& attempt, net::Channel& client);
    void note_used_ticket(net::Channel& client);
    Outcome judge_handshake(const tls::HandshakeInfo& info) const;

    // data_trials.cpp
    net::Task<Outcome> choose_client(Attempt& attempt);
    void admit(Attempt& attempt, const Choice& choice);
    void take_judged(Attempt& attempt);
    std::optional<Choice> choose(Attempt& attempt);
    bool is_patience_over(Attempt& attempt);
    net::Task<> keep_door(Attempt& attempt, net::TaskGroup& trials);
    bool make_room(Attempt& attempt);
    net::Task<> try_comer(Attempt& attempt, std::shared_ptr<Comer> comer);
    net::Task<> wait_for_start_or_hello(Attempt& attempt, Comer& comer);
    bool is_from_client(const IpAddress& address) const;

    // data_server_leg.cpp
    net::Task<Outcome> accept_server(Attempt& attempt);
    net::Task<Outcome> secure_server(Attempt& attempt);
    net::Task<Outcome> shake_hands_with_server(Attempt& attempt);
    net::Task<> read_farewell(Attempt& attempt);

    // data_transfer.cpp
    net::Task<Outcome> download(Attempt& attempt);
    net::Task<Outcome> upload(Attempt& attempt);
    net::Task<Outcome> pump(
        Attempt& attempt, net::Channel& from, net::Channel& to, Outcome read_failure, Outcome write_failure);
    net::Task<Outcome> splice(Attempt& attempt, net::SplicePipe& pipe, net::Channel& from, net::Channel& to,
        Outcome read_failure, Outcome write_failure);
    net::Task<Outcome> flush(Attempt& attempt, net::Channel& to, Outcome write_failure);
    net::Task<> send_close_notify(Attempt& attempt, net::Channel& channel);
    net::Task<Outcome> wait_until_delivered(Attempt& attempt);
    static net::Task<> linger(net::Executor executor, net::Channel& client);

    const Environment& environment_;
    const Front& front_;
    net::TaskGroup& tasks_;
    const std::uint64_t session_;
    Handlers handlers_;
    Peers peers_;
    const tls::TicketKey* ticket_key_ = nullptr; ///< null until the control connection is under TLS
    std::string client_fingerprint_;
    tls::ClientSession* server_tls_ = nullptr; ///< null: the server leg is plain

    std::unique_ptr<Attempt> prepared_;  ///< until launch()
    Attempt* current_ = nullptr;         ///< owned by its coroutine, which outlives this pointer's use
    std::vector<Attempt*> lingering_;    ///< delivered or refused, waiting for the client's end; owned likewise
    std::uint64_t bytes_ = 0;
    net::Clock::time_point started_at_{};
    bool has_resumed_ = false;
};

} // namespace safetp::proxy
