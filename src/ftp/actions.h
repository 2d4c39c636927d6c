// What the dialogue decides: text for both ends, and actions for the shell that owns sockets, clocks and logs.
#pragma once

#include "base/ip_address.h"
#include "ftp/command.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace safetp::ftp {

enum class EndReason : std::uint8_t {
    quit, client_closed, server_closed, server_refused, server_nonsense, server_unreachable, server_timeout, login_timeout,
    idle_timeout, starttls_injection, tls_failed, too_many_bad_commands, too_many_login_failures, http_client, drained,
    connection_broken, access_refused, server_not_secured, left_alone, server_out_of_step, too_many_waiting_commands,
};
std::string_view to_string(EndReason reason);

/// Why the data of a transfer did not arrive whole.
enum class DataFailure : std::uint8_t {
    client_not_connected, ///< nobody came to the passive port in time
    client_unreachable,   ///< the client's PORT/EPRT could not be reached
    handshake_failed,
    not_resumed,          ///< policy asks for the control connection's TLS session
    wrong_certificate,    ///< another client certificate than on the control connection
    client_broken,        ///< reset, or ended without close_notify
    server_unreachable,
    server_broken,
    server_not_secured,   ///< its TLS on the data connection failed, or was another server's
    stalled,
};
std::string_view to_string(DataFailure failure); ///< for the log

// What the shell has to do, in order, after it has sent the text of the same Output.
struct StartTls {};                              ///< AUTH: then on_tls_started; any plaintext still unread ends the session
struct AskForAuth { std::string mechanism; };    ///< the client wants its own TLS: ask the server, then on_auth_answered
struct EndTls {};                                ///< CCC: close_notify both ways, then plain text
/// Listen for the client: on_passive_opened or on_data_setup_failed. `is_protected`: under PROT P now, so it may begin TLS.
struct OpenPassive { bool is_protected; };
struct UseActive { Endpoint client; };           ///< connect there when the transfer starts
struct DialServer { std::uint16_t port; };       ///< connect to the raw ftpd's data port, at its control address
struct ListenForServer {};                       ///< on_server_listener or on_data_setup_failed
struct ExpectTransfer {};                        ///< its command is on the way: the server may begin TLS
struct StartTransfer { Direction direction; bool is_protected; };
/// The raw ftpd's data ended in order and its final reply is there: close_notify, FIN, then on_transfer_delivered.
struct FinishDownload {};
/// It has refused the transfer in the midst of a download: its data must end by themselves, or fail, within a short time.
struct AwaitEnd {};
/// It has refused the transfer, and the client knows: the client's data connection is ended in order, close_notify and FIN.
struct EndData {};
struct AbortData {};                             ///< reset both data connections: neither side may take them for whole
/// The same for the client's alone: the raw ftpd has not begun, and ends the session if its connection is gone before it has
/// taken it. AbortData follows when it has.
struct AbortClientData {};
struct CloseData {};                             ///< forget what was prepared
struct LoggedIn { std::string user; };
struct LoginFailed { std::string user; };
struct TransferEnded {
    Direction direction;
    std::string command;
    std::string argument; ///< a path; of listings perhaps a pattern or options
    bool is_ascii;
    bool is_complete;
    std::string reason; ///< why it is not complete: for the log, may hold the raw ftpd's bytes
};
struct Note { std::string_view event; std::string text; }; ///< for the log
struct End { EndReason reason; };
using Action = std::variant<StartTls, EndTls, AskForAuth, OpenPassive, UseActive, DialServer, ListenForServer,
    ExpectTransfer, StartTransfer, FinishDownload, AwaitEnd, EndData, AbortData, AbortClientData, CloseData, LoggedIn,
    LoginFailed, TransferEnded, Note, End>;

struct Output {
    std::string to_client;
    std::string to_server; ///< may hold a password: wipe after sending
    std::vector<Action> actions;
};

} // namespace safetp::ftp
