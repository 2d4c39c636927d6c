// One transfer with a server over FTP with TLS, by libcurl: get, put, a listing, or just the server's certificate.
#pragma once

#include "client/ftp_url.h"
#include "client/trust.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace safetp::client {

struct Login {
    std::string user = "anonymous";
    std::string password = "safetp@";
};

struct Progress {
    std::int64_t done = 0;  ///< bytes of the whole file, those of an earlier part included
    std::int64_t total = 0; ///< 0: not known
};

struct TransferRequest {
    enum class Kind {
        get,
        put,
        list,     ///< LIST, as text
        names,    ///< NLST
        show_key, ///< nothing is sent behind the server's certificate
    };
    Kind kind = Kind::get;
    FtpUrl url;
    Login login{};
    std::chrono::seconds connect_timeout{30};
    std::chrono::seconds stall_timeout{60};                     ///< nothing moved for so long
    std::string client_certificate{};                           ///< PEM file; empty: none
    std::string client_key{};                                   ///< PEM file; empty: in the certificate's
    tls::PeerRules tls{};
    bool needs_close_notify = true; ///< false: the server's own word decides whether a download is whole
    std::function<void(const std::string& line)> on_dialogue{}; ///< control lines both ways, without PASS's argument

    /// get: what there is already; put: kAppend asks the server how much it has, and `source` is asked to skip that much.
    std::int64_t resume_from = 0;
    static constexpr std::int64_t kAppend = -1;
    std::int64_t source_size = -1; ///< put: for on_progress; -1: not known

    /// get and listings: takes the bytes; false breaks the transfer off as a local failure.
    std::function<bool(std::span<const char> bytes)> sink{};
    /// get: asked before the first byte, with the file's time on the server (if it says); false breaks off as `other_file`.
    std::function<bool(std::optional<std::time_t> modified)> begin{};
    /// put: fills the buffer and gives how much, 0 at the end, -1 on a local failure, which the server then sees as a cut.
    std::function<std::ptrdiff_t(std::span<char> buffer)> source{};
    std::function<bool(std::int64_t offset)> skip{};             ///< put with kAppend
    std::function<void(const Progress& progress)> on_progress{}; ///< about every tenth of a second
    std::function<bool()> is_cancelled{};                        ///< asked at least every second; true breaks the transfer off

    /// Judges the key of the control connection; those of data connections must be the same.
    std::function<Verdict(const tls::PeerCertificate& certificate)> trust{};
};

struct TransferResult {
    enum class End {
        done,
        key_refused, ///< `verdict` says why
        not_secure,  ///< the server offers no TLS, or none that is good enough: nothing was sent
        login_failed,
        unreachable,
        server_refused, ///< a negative reply to the command: no such file, no permission
        broken_off,     ///< cut, stalled, or ended by an error on the way; what came may be incomplete
        other_file,     ///< `begin` said no, or the server cannot continue at `resume_from`
        local_failure,  ///< sink or source said no; as with other_file there is no sentence: the caller knows why
    };
    End end = End::broken_off;
    std::string sentence{}; ///< what happened, for a person; empty when done
    std::optional<Verdict> verdict{};
    std::optional<tls::PeerCertificate> certificate{}; ///< of the control connection
    std::optional<std::time_t> modified{};             ///< get: the file's time on the server
};

/// Blocks until it is over. The process must ignore SIGPIPE.
TransferResult transfer(const TransferRequest& request);

} // namespace safetp::client
