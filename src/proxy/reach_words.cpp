// What a person who knows only his FTP program is told when his server cannot be spoken to: what happened, whether anything of
// his has left this machine, and what to do. One line each: FTP programs show the last line of a reply, if anything.
#include "base/log.h"
#include "proxy/server_reach.h"

#include <cstring>

namespace safetp::proxy {

namespace {

using Obstacle = ftp::ServerSecurity::Obstacle;
using ftp::EndReason;

constexpr std::string_view kNothingSent = " Your name and password were not sent.";
constexpr std::size_t kMaxQuoted = 120;

std::string quoted(const std::string& words)
{
    return words.empty() ? std::string() : " (it says: " + log::escape(words, kMaxQuoted) + ")";
}

} // namespace

ServerReach::Refusal ServerReach::refuse_name(const Error& error) const
{
    const bool is_unknown = error.code == ErrorCode::bad_address;
    return {.is_lasting = is_unknown, .words = "The server name " + destination_.host + " could not be found: "
            + (is_unknown ? "there is no such name. Please check its spelling." : "the name service does not answer.")};
}

ServerReach::Refusal ServerReach::refuse_unreachable(const Error& error) const
{
    const std::string why = error.os_error != 0 ? std::string(" (") + std::strerror(error.os_error) + ")" : "";
    return {.is_lasting = false, .words = "The server " + destination_.to_string() + " cannot be reached" + why + "."};
}

ServerReach::Refusal ServerReach::refuse_silence() const
{
    return {.reason = EndReason::server_timeout, .is_lasting = false,
        .words = "The server " + destination_.to_string() + " does not answer, please try again later."};
}

ServerReach::Refusal ServerReach::refuse_obstacle() const
{
    const std::string server = "The server " + destination_.to_string();
    const std::string words = quoted(security_->words());
    Refusal refusal{.reason = EndReason::server_not_secured, .words = {}};
    switch (security_->obstacle()) {
    case Obstacle::none:
    case Obstacle::no_ftp:
        refusal = {.reason = EndReason::server_nonsense, .words = server + " does not speak FTP."};
        break;
    case Obstacle::refused:
        refusal = {.reason = EndReason::server_refused, .is_lasting = false,
            .words = server + " wants no session now" + words + "."};
        break;
    case Obstacle::closed:
        refusal = {.reason = EndReason::server_closed, .is_lasting = false, .words = server + " has hung up."};
        break;
    case Obstacle::auth_refused:
        refusal.words = server + " offers no encryption" + words
            + ", or somebody on the way there hides it." + std::string(kNothingSent)
            + " Ask whoever runs the server for FTP over TLS.";
        break;
    case Obstacle::closed_at_auth:
        refusal.words
            = server + ", or somebody on the way there, hung up when encryption was asked for." + std::string(kNothingSent);
        break;
    case Obstacle::plaintext_after_auth:
        refusal.words = "Somebody on the way to " + destination_.to_string()
            + " tried to put words into the encrypted session, so it was ended." + std::string(kNothingSent);
        break;
    case Obstacle::prot_refused:
        refusal.words = server + " would send files without encryption" + words + "." + std::string(kNothingSent);
        break;
    case Obstacle::out_of_step:
        refusal = {.reason = EndReason::server_out_of_step,
            .words = server + " answered something that it was not asked" + words + "." + std::string(kNothingSent)};
        break;
    }
    return refusal;
}

ServerReach::Refusal ServerReach::refuse_handshake(const Error& error) const
{
    Refusal refusal{.reason = EndReason::server_not_secured, .words = {}};
    if (error.code == ErrorCode::tls_untrusted)
        refusal.words = trust_.for_person.empty() ? "The server's key cannot be read." : trust_.for_person;
    else if (error.code == ErrorCode::tls_version)
        refusal.words = "The server " + destination_.to_string()
            + " knows only encryption that is too old to be safe (TLS 1.1 or less)." + std::string(kNothingSent);
    else
        refusal.words = "Encryption with the server " + destination_.to_string() + " could not be set up ("
            + log::escape(error.context.empty() ? describe(error) : error.context, kMaxQuoted) + ")."
            + std::string(kNothingSent);
    return refusal;
}

} // namespace safetp::proxy
