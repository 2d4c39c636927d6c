// What get, put, ls and pin add have in common: whom to trust, who logs in, what the end means for the exit code.
#pragma once

#include "bin/engine_arguments.h"
#include "client/pins.h"
#include "client/transfer.h"

#include <string>
#include <variant>
#include <vector>

namespace safetp::bin {

struct ConnectionArguments {
    EngineArguments engine{}; ///< how the server is spoken to: as with proxy and run, but never in clear
    unsigned connect_timeout = 30; ///< seconds
    unsigned stall_timeout = 60;   ///< seconds
    bool is_quiet = false;
    bool is_verbose = false;
};

/// The store that --pins names, or the default one.
Result<client::PinStore> open_store(const std::string& file);

/// Reports the problem and gives the exit code.
int complain(int code, const std::string& what);

struct Connection {
    client::TransferRequest request;
    client::PinStore store;
    bool may_ask = false; ///< an unknown server's key may be shown to the person at the terminal
};

/// A request for this URL, with everything but the files; or the exit code after an error was printed.
std::variant<Connection, int> prepare(
    const ConnectionArguments& arguments, client::TransferRequest::Kind kind, client::FtpUrl url);

/// Transfers. An unknown server's key is shown to the person at the terminal, if there is one, and the transfer begins anew
/// when she says yes. Prints what went wrong.
client::TransferResult run(const ConnectionArguments& arguments, Connection& connection);

int exit_code_of(client::TransferResult::End end);

/// What one line says of a key, as ssh-keygen -l has it: "256 SHA256:... ftp.example.com:21 (ECDSA)".
std::string key_line(const client::ServerName& server, const tls::PeerCertificate& certificate);
/// What else the certificate says, one line.
std::string certificate_line(const tls::PeerCertificate& certificate);

} // namespace safetp::bin
