// What a session leaves behind in the logs.
#include "base/log.h"
#include "proxy/session.h"

namespace safetp::proxy {

void Session::log_transfer(const ftp::TransferEnded& transfer)
{
    const bool is_upload = transfer.direction == ftp::Direction::upload;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(data_.elapsed());
    const std::string path = paths_.path_of(transfer.command, transfer.path);
    (is_upload ? uploaded_ : downloaded_) += data_.bytes();
    ++transfers_;
    log::Event(log::Level::info, number_, "transfer", transfer.command + (transfer.is_complete ? " complete" : " incomplete"))
        .with("path", path).with("bytes", data_.bytes()).with("seconds", seconds.count())
        .with("user", dialogue_.user()).with("client", peer_.address);
    data_.close();
    const bool is_file = transfer.command == "RETR" || is_upload;
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
