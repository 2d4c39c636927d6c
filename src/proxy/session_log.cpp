// What a session leaves behind in the logs.
#include "base/log.h"
#include "proxy/session.h"

namespace safetp::proxy {

namespace {

// Replies to a command with a password may repeat it: "500 'PASSX secret': what?".
std::string without_words(std::string_view reply) { return std::string(reply.substr(0, 3)) + " ***"; }

} // namespace

void Session::log_client_line(std::string_view line) const
{
    if (log::is_enabled(log::Level::debug))
        log::Event(log::Level::debug, number_, "command", "client: " + ftp::without_secrets(line));
}

void Session::log_server_line(std::string_view line) const
{
    if (log::is_enabled(log::Level::debug))
        log::Event(log::Level::debug, number_, "server-reply",
            "server: " + (has_asked_secret_ ? without_words(line) : std::string(line)));
}

void Session::log_output(const ftp::Output& output)
{
    if (!log::is_enabled(log::Level::debug))
        return;
    for (std::string_view text = output.to_client; !text.empty();) {
        const std::string_view line = text.substr(0, text.find("\r\n"));
        text.remove_prefix(line.size() + 2);
        log::Event(log::Level::debug, number_, "reply",
            "to the client: " + (has_asked_secret_ ? without_words(line) : std::string(line)));
    }
    for (std::string_view text = output.to_server; !text.empty();) {
        const std::string_view line = text.substr(0, text.find("\r\n"));
        text.remove_prefix(line.size() + 2);
        const std::string shown = ftp::without_secrets(line);
        has_asked_secret_ = shown.ends_with("***");
        log::Event(log::Level::debug, number_, "server-command", "to the server: " + shown);
    }
}

void Session::log_transfer(const ftp::TransferEnded& transfer)
{
    const bool is_upload = transfer.direction == ftp::Direction::upload;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(data_.elapsed());
    const std::string path = paths_.path_of(transfer.command, transfer.argument);
    (is_upload ? uploaded_ : downloaded_) += data_.bytes();
    ++transfers_;
    const bool is_file = transfer.command == "RETR" || is_upload;
    {
        log::Event event(log::Level::info, number_, "transfer",
            transfer.command + (transfer.is_complete ? " complete" : " incomplete"));
        event.with(is_file ? "path" : "argument", is_file ? path : transfer.argument) // a listing's may be "-la" or "big*"
            .with("bytes", data_.bytes()).with("seconds", seconds.count())
            .with("user", dialogue_.user()).with("client", peer_.address);
        if (!transfer.is_complete)
            event.with("reason", transfer.reason);
    }
    data_.close();
    if (!is_file)
        return; // listings are not logged by any ftpd either
    environment_.xferlog.write({.ended = std::time(nullptr), .duration = seconds, .client = peer_.address,
        .bytes = data_.bytes(), .path = path, .is_ascii = transfer.is_ascii, .is_upload = is_upload,
        .is_anonymous = dialogue_.user_is_anonymous(), .user = dialogue_.user(), .is_complete = transfer.is_complete});
}

void Session::log_end() const
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_);
    std::string reason(end_reason_ ? to_string(*end_reason_) : "unknown");
    constexpr std::string_view kFrontDoorsServer = "raw ftpd";
    if (front_.client_side != nullptr && reason.starts_with(kFrontDoorsServer))
        reason.replace(0, kFrontDoorsServer.size(), "server");
    log::Event(log::Level::info, number_, "end", "session ended: " + reason)
        .with("client", peer_.address).with("user", dialogue_.user()).with("tls", tls_summary_)
        .with("transfers", transfers_).with("downloaded", downloaded_).with("uploaded", uploaded_)
        .with("seconds", seconds.count());
}

} // namespace safetp::proxy
