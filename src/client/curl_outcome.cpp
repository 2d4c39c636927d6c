#include "client/curl_outcome.h"

#include "base/log.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

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
    const bool is_name_of_the_code = outcome.words == curl_easy_strerror(outcome.code);
    return outcome.words.empty() || is_service_closed || is_name_of_the_code ? "" : " (" + log::escape(outcome.words) + ")";
}

/// Why a handshake failed, from the words of libcurl and OpenSSL; the empty ones stand for any failure.
struct TlsFailure {
    std::string_view words;
    std::string_view meaning;
};
constexpr TlsFailure kTlsFailures[] = {
    {"wrong version number", "it does not speak TLS from the first byte: write ftp:// instead of ftps://"},
    {"packet length too long", "it does not speak TLS from the first byte: write ftp:// instead of ftps://"},
    {"unsupported protocol", "its versions of TLS are too old: its administrators should allow TLS 1.2 or 1.3"},
    {"alert protocol version", "its versions of TLS are too old: its administrators should allow TLS 1.2 or 1.3"},
    {"alert handshake failure", "it has no cipher or key that is safe enough: its administrators should look after that"},
    {"no protocols available", "minimum_tls in safetp.toml asks for more than this system's TLS has"},
    {"", "its administrators may know why"},
};

std::string no_tls(const std::string& server, const TransferRequest& request, const CurlOutcome& outcome)
{
    constexpr std::string_view kNothing = "so nothing was sent, not even the user's name";
    if (outcome.code == CURLE_USE_SSL_FAILED)
        return fmt::format("The server {} offers no TLS, {}{}. Ask its administrators for TLS; where it speaks TLS from the "
                           "first byte, as on port 990, write ftps:// instead of ftp://.",
            server, kNothing, said(outcome));
    const auto* const failure = std::ranges::find_if(
        kTlsFailures, [&](const TlsFailure& known) { return outcome.words.find(known.words) != std::string::npos; });
    const bool is_about_implicit = failure == kTlsFailures || failure == kTlsFailures + 1;
    const auto meaning = is_about_implicit && !request.url.is_implicit ? "what it sends is no TLS" : failure->meaning;
    return fmt::format("TLS with {} cannot be set up, {}; {}{}{}.", server, kNothing, meaning, because(outcome), said(outcome));
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

std::string not_secure(
    const std::string& server, const TransferRequest& request, const CurlOutcome& outcome, bool is_key_accepted)
{
    if (outcome.is_secure)
        return fmt::format("The server {} does not protect its data connections, so nothing was transferred{}. Its "
                           "administrators should allow PROT P.",
            server, said(outcome));
    if (is_key_accepted)
        return fmt::format("TLS with {} cannot be set up though its key is right, so nothing was sent; it may want another "
                           "client certificate{}.",
            server, because(outcome));
    return no_tls(server, request, outcome);
}

std::string sentence_for(End end, const TransferRequest& request, const CurlOutcome& outcome, bool is_key_accepted)
{
    const std::string server = request.url.server.to_string();
    switch (end) {
    case End::done:
    case End::other_file: return {};
    case End::not_secure: return not_secure(server, request, outcome, is_key_accepted);
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
    result.sentence = sentence_for(result.end, request, outcome, result.verdict.has_value());
}

} // namespace safetp::client
