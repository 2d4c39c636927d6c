#include "client/curl_outcome.h"

#include "base/log.h"

#include <fmt/format.h>

namespace safetp::client {

namespace {

using End = TransferResult::End;

/// The end of a sentence whose full stop is still to come.
std::string said(const CurlOutcome& outcome)
{
    std::string_view reply = outcome.last_reply;
    if (reply.ends_with('.'))
        reply.remove_suffix(1);
    return reply.empty() ? "" : "; the server said: " + log::escape(reply);
}

/// libcurl's words, where they say more than the server did.
std::string because(const CurlOutcome& outcome)
{
    const bool is_service_closed = outcome.last_reply.starts_with("421"); // "timeout" in libcurl's words
    return outcome.words.empty() || is_service_closed ? "" : " (" + log::escape(outcome.words) + ")";
}

End end_of(const CurlOutcome& outcome)
{
    switch (outcome.code) {
    case CURLE_OK: return End::done;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED: return outcome.is_secure ? End::broken_off : End::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_FTP_ACCEPT_TIMEOUT: return outcome.is_connected ? End::broken_off : End::unreachable;
    case CURLE_FTP_COULDNT_USE_REST:
    case CURLE_BAD_DOWNLOAD_RESUME: return End::other_file;
    case CURLE_USE_SSL_FAILED: return End::not_secure;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return outcome.is_secure ? End::broken_off : End::not_secure;
    case CURLE_LOGIN_DENIED: return End::login_failed;
    case CURLE_REMOTE_ACCESS_DENIED:
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_REMOTE_DISK_FULL:
    case CURLE_REMOTE_FILE_EXISTS:
    case CURLE_FTP_COULDNT_RETR_FILE:
    case CURLE_FTP_COULDNT_SET_TYPE:
    case CURLE_QUOTE_ERROR: return End::server_refused;
    // What came behind the 234 in the same packet was somebody's attempt to speak in the secure session's name.
    case CURLE_WEIRD_SERVER_REPLY:
        return !outcome.is_secure && outcome.last_reply.starts_with("234") ? End::not_secure : End::broken_off;
    // The reply may also be 425 or 426, when another try may help.
    case CURLE_UPLOAD_FAILED: return outcome.last_reply.starts_with('4') ? End::broken_off : End::server_refused;
    default: return End::broken_off;
    }
}

std::string sentence_for(End end, const std::string& server, const CurlOutcome& outcome, bool is_key_accepted)
{
    switch (end) {
    case End::done:
    case End::other_file: return {};
    case End::not_secure:
        if (outcome.is_secure)
            return fmt::format(
                "The server {} does not protect its data connections, so nothing was transferred{}.", server, said(outcome));
        if (is_key_accepted)
            return fmt::format("TLS with {} cannot be set up though its key is right, so nothing was sent; it may want another "
                               "client certificate{}.",
                server, because(outcome));
        return fmt::format(
            "The server {} offers no TLS that is good enough, so nothing was sent, not even the user's name{}{}.", server,
            because(outcome), said(outcome));
    case End::login_failed:
        return fmt::format("The server {} does not accept the user's name or password{}.", server, said(outcome));
    case End::unreachable: return fmt::format("The server {} cannot be reached{}.", server, because(outcome));
    case End::server_refused: return fmt::format("The server {} refused{}{}.", server, because(outcome), said(outcome));
    default: return fmt::format("The connection to {} broke off before the end{}{}.", server, because(outcome), said(outcome));
    }
}

} // namespace

void explain_outcome(const TransferRequest& request, const CurlOutcome& outcome, TransferResult& result)
{
    if (result.verdict && !result.verdict->is_accepted()) {
        result.end = End::key_refused;
        result.sentence = result.verdict->for_person;
        return;
    }
    result.end = end_of(outcome);
    result.sentence = sentence_for(result.end, request.url.server.to_string(), outcome, result.verdict.has_value());
}

} // namespace safetp::client
