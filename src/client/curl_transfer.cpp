// The one user of libcurl's transfers. libcurl decides nothing about keys: each TLS context that it makes is put before our
// judge, those of data connections included.
#include "client/curl_outcome.h"
#include "client/transfer.h"
#include "client/transfer_dialogue.h"
#include "tls/peer_certificate.h"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <poll.h>
#include <set>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::client {

namespace {

using Clock = std::chrono::steady_clock;
using End = TransferResult::End;
using Kind = TransferRequest::Kind;

constexpr auto kProgressPause = std::chrono::milliseconds(100);
constexpr auto kEndTimeout = std::chrono::seconds(10); ///< for the other end's FIN
constexpr long kKeepaliveSeconds = 60; ///< the control connection rests while data flows: some routers forget it otherwise

struct FreeCurl {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// A socket that is closed with something unread resets the connection, and the other end may lose what it has not read yet.
/// TLS 1.3 servers send tickets and close_notify when libcurl does not listen any more: so FIN first, and then wait for theirs.
void wait_for_end(int socket)
{
    ::shutdown(socket, SHUT_WR);
    const Clock::time_point deadline = Clock::now() + kEndTimeout;
    std::array<char, 16384> unread{};
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd readable{.fd = socket, .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0)
            return;
        if (::recv(socket, unread.data(), unread.size(), MSG_DONTWAIT) <= 0)
            return;
    }
}

class CurlTransfer {
public:
    explicit CurlTransfer(const TransferRequest& request);
    CurlTransfer(const CurlTransfer&) = delete;
    TransferResult run();

private:
    template <typename Value>
    void set(CURLoption option, Value value)
    {
        if (setup_ == CURLE_OK)
            setup_ = curl_easy_setopt(handle_.get(), option, value);
    }
    void set_up_connection();
    void set_up_security();
    void set_up_download();
    void set_up_upload();
    void set_up_callbacks();
    void add_command(std::unique_ptr<curl_slist, FreeList>& list, const std::string& command);

    bool judge(const tls::PeerCertificate& certificate);
    void abandon(bool& reason);
    void wait_for_room() const;
    void note_move() { last_move_ = Clock::now(); }
    std::optional<std::time_t> modified() const;
    std::optional<std::int64_t> announced() const;
    bool is_cut() const;
    std::string what_is_not_as_announced() const;
    bool is_startable();
    CurlOutcome outcome_of(CURLcode code) const;
    void settle(CURLcode code);

    // libcurl's callbacks; `self` is this object.
    static CURLcode on_ssl_context(CURL* handle, void* ssl_ctx, void* self);
    static std::size_t on_data(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_source(char* buffer, std::size_t size, std::size_t count, void* self);
    static int on_seek(void* self, curl_off_t offset, int origin);
    static std::size_t on_reply(char* bytes, std::size_t size, std::size_t count, void* self);
    static int on_progress(
        void* self, curl_off_t download_total, curl_off_t downloaded, curl_off_t upload_total, curl_off_t uploaded);
    static int on_dialogue(CURL* handle, curl_infotype type, char* bytes, std::size_t size, void* self);
    static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
    static int on_close(void* self, curl_socket_t socket);

    const TransferRequest& request_;
    TransferResult result_;
    tls::PeerJudge judge_;
    std::deque<tls::PeerEnd> ends_; ///< of each TLS connection; the control connection's is the first
    std::set<int> sockets_;      ///< all that are open
    std::set<int> data_sockets_; ///< of these the data connections
    std::array<char, CURL_ERROR_SIZE> words_{};
    TransferDialogue dialogue_;
    std::unique_ptr<curl_slist, FreeList> commands_before_;    ///< the transfer; libcurl borrows both lists
    std::unique_ptr<curl_slist, FreeList> commands_afterwards_;
    Clock::time_point last_move_ = Clock::now();
    Clock::time_point last_progress_{};
    curl_off_t moved_ = 0;
    std::int64_t received_ = 0;
    std::int64_t sent_ = 0;
    curl_off_t skipped_ = 0;    ///< of an upload: the server has it already
    bool is_secured_ = false;   ///< the server has answered under TLS, so the handshake is complete
    bool has_begun_ = false;
    bool is_local_failure_ = false;
    bool is_other_file_ = false;
    bool is_missing_ = false;  ///< of a download: the server has no such file
    bool is_complete_ = false; ///< of a download: nothing was left to come
    bool is_unclear_ = false;  ///< of an upload: nobody knows where to continue
    bool is_stalled_ = false;
    bool is_cancelled_ = false;
    CURLcode setup_ = CURLE_OK;
    std::unique_ptr<CURL, FreeCurl> handle_; // last: it calls us back while it is cleaned up
};

CurlTransfer::CurlTransfer(const TransferRequest& request)
    : request_(request)
    , judge_{.host = request.url.server.host, .judge = [this](const tls::PeerCertificate& seen) { return judge(seen); }}
    , handle_(curl_easy_init())
{
}

void CurlTransfer::set_up_connection()
{
    set(CURLOPT_URL, request_.url.address.c_str());
    set(CURLOPT_PROTOCOLS_STR, "ftp,ftps");
    set(CURLOPT_PROXY, ""); // ftp_proxy in the environment would turn this into plain HTTP
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_USERNAME, request_.login.user.c_str());
    set(CURLOPT_PASSWORD, request_.login.password.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_TCP_KEEPIDLE, kKeepaliveSeconds);
    set(CURLOPT_TCP_KEEPINTVL, kKeepaliveSeconds);
    set(CURLOPT_FTP_SKIP_PASV_IP, 1L); // a data connection goes to the server and nowhere else
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(request_.connect_timeout.count()));
    set(CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(request_.stall_timeout.count()));
}

void CurlTransfer::set_up_security()
{
    set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    set(CURLOPT_FTPSSLAUTH, static_cast<long>(CURLFTPAUTH_TLS));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    // libcurl's own checks are off because put_peers_before() replaces them; without it the handshake is never begun.
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
    set(CURLOPT_SSL_CTX_FUNCTION, &CurlTransfer::on_ssl_context);
    set(CURLOPT_SSL_CTX_DATA, this);
    if (request_.client_certificate.empty())
        return;
    const std::string& key = request_.client_key.empty() ? request_.client_certificate : request_.client_key;
    set(CURLOPT_SSLCERT, request_.client_certificate.c_str());
    set(CURLOPT_SSLKEY, key.c_str());
}

void CurlTransfer::set_up_download()
{
    set(CURLOPT_WRITEFUNCTION, &CurlTransfer::on_data);
    set(CURLOPT_WRITEDATA, this);
    if (request_.kind == Kind::names)
        set(CURLOPT_DIRLISTONLY, 1L);
    if (request_.kind != Kind::get)
        return;
    set(CURLOPT_FILETIME, 1L);
    // libcurl takes "213 -1" for 1, stops at what SIZE said, and does not look whether REST did anything. So it neither asks
    // for the size nor knows of a resumption: both commands are ours, and it reads on until the server ends the data.
    set(CURLOPT_IGNORE_CONTENT_LENGTH, 1L);
    add_command(commands_before_, "*SIZE " + request_.url.file_name);
    if (request_.resume_from > 0)
        add_command(commands_before_, "REST " + std::to_string(request_.resume_from));
    set(CURLOPT_PREQUOTE, commands_before_.get());
}

void CurlTransfer::set_up_upload()
{
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &CurlTransfer::on_source);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &CurlTransfer::on_seek);
    set(CURLOPT_SEEKDATA, this);
    // No CURLOPT_INFILESIZE_LARGE: libcurl would not ask for more after the last byte, and wait_for_room() would not be called.
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(request_.resume_from));
    if (request_.resume_from == TransferRequest::kAppend) {
        add_command(commands_afterwards_, "*SIZE " + request_.url.file_name);
        set(CURLOPT_POSTQUOTE, commands_afterwards_.get());
    }
}

/// One that begins with "*" may fail.
void CurlTransfer::add_command(std::unique_ptr<curl_slist, FreeList>& list, const std::string& command)
{
    curl_slist* const longer = curl_slist_append(list.get(), command.c_str());
    if (longer == nullptr) {
        setup_ = CURLE_OUT_OF_MEMORY;
        return;
    }
    (void)list.release(); // it is the longer one's
    list.reset(longer);
}

void CurlTransfer::set_up_callbacks()
{
    set(CURLOPT_ERRORBUFFER, words_.data());
    set(CURLOPT_HEADERFUNCTION, &CurlTransfer::on_reply);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &CurlTransfer::on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_OPENSOCKETFUNCTION, &CurlTransfer::on_open);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_CLOSESOCKETFUNCTION, &CurlTransfer::on_close);
    set(CURLOPT_CLOSESOCKETDATA, this);
    set(CURLOPT_VERBOSE, 1L);
    set(CURLOPT_DEBUGFUNCTION, &CurlTransfer::on_dialogue);
    set(CURLOPT_DEBUGDATA, this);
}

TransferResult CurlTransfer::run()
{
    if (!handle_) {
        result_.sentence = "libcurl cannot be started.";
        return result_;
    }
    set_up_connection();
    set_up_security();
    set_up_callbacks();
    if (request_.kind == Kind::put)
        set_up_upload();
    else
        set_up_download();
    settle(setup_ == CURLE_OK ? curl_easy_perform(handle_.get()) : setup_);
    return result_;
}

/// The control connection's certificate comes first; every other one is a data connection's.
bool CurlTransfer::judge(const tls::PeerCertificate& certificate)
{
    if (result_.certificate) {
        if (result_.certificate->key_fingerprint == certificate.key_fingerprint)
            return true;
        const std::string server = request_.url.server.to_string();
        result_.verdict = Verdict{.outcome = Verdict::Outcome::refused,
            .reason = Verdict::Reason::key_changed,
            .for_person = "The data connection to " + server
                + " has another key than the server itself: "
                  "somebody may stand between, so nothing was transferred.",
            .for_log = server + ": refused: data connection with key " + certificate.key_fingerprint
                + ", control connection with key " + result_.certificate->key_fingerprint};
        return false;
    }
    result_.certificate = certificate;
    if (request_.kind == Kind::show_key || !request_.trust)
        return false;
    result_.verdict = request_.trust(certificate);
    return result_.verdict->is_accepted();
}

/// From now on libcurl can send no close_notify, which would make a part of a file look like all of it.
void CurlTransfer::abandon(bool& reason)
{
    reason = true;
    for (const int socket : sockets_)
        ::shutdown(socket, SHUT_RDWR);
}

/// libcurl tries once to send close_notify behind the last byte, and where the socket is full the server misses it and takes
/// the upload for cut. All bytes are with the kernel when the source is asked in vain.
void CurlTransfer::wait_for_room() const
{
    for (const int socket : data_sockets_) {
        pollfd writable{.fd = socket, .events = POLLOUT, .revents = 0};
        ::poll(&writable, 1, static_cast<int>(std::chrono::milliseconds(request_.stall_timeout).count()));
    }
}

std::optional<std::time_t> CurlTransfer::modified() const
{
    curl_off_t time = -1;
    if (curl_easy_getinfo(handle_.get(), CURLINFO_FILETIME_T, &time) != CURLE_OK || time < 0)
        return std::nullopt;
    return static_cast<std::time_t>(time);
}

/// How many bytes are to come, as far as the server has said so.
std::optional<std::int64_t> CurlTransfer::announced() const
{
    if (const auto size = dialogue_.size())
        return *size - request_.resume_from;
    return request_.resume_from > 0 ? std::nullopt : dialogue_.size_in_150();
}

/// libcurl takes any end of a data connection for the end of the data: whoever can send a FIN could cut a file. Either the
/// server has ended its TLS in order, or all the bytes are there that it had announced under TLS.
bool CurlTransfer::is_cut() const
{
    const bool has_orderly_end = ends_.size() > 1 && ends_.back().has_close_notify;
    if (request_.kind == Kind::put || !dialogue_.has_transfer() || has_orderly_end || !request_.needs_close_notify)
        return false;
    return request_.kind != Kind::get || announced() != received_;
}

/// Empty where all is as it was announced, or nothing was.
std::string CurlTransfer::what_is_not_as_announced() const
{
    const std::string server = request_.url.server.to_string();
    const auto expected = announced();
    if (request_.kind == Kind::get && dialogue_.has_transfer() && expected && *expected != received_)
        return fmt::format("The server {} had announced {} bytes and has sent {}, so the file is not known to be whole{}.",
            server, *expected, received_,
            received_ > *expected ? "; if it is being written to at the moment, fetch it when that is over" : "");
    const auto there = dialogue_.size_afterwards();
    if (request_.kind == Kind::put && there && *there != skipped_ + sent_)
        return fmt::format("The server {} has {} bytes of the file now and not {}, so it is not known to be whole; somebody "
                           "else may have written to it: send it anew, without -c.",
            server, *there, skipped_ + sent_);
    return {};
}

/// Looks at the answers to SIZE and REST. False: the download shall not begin.
bool CurlTransfer::is_startable()
{
    if (request_.kind != Kind::get)
        return true;
    const bool is_resumed = request_.resume_from > 0;
    if (dialogue_.has_answer_to("SIZE")) {
        const auto size = dialogue_.size();
        is_missing_ = dialogue_.last_reply().starts_with("550");
        is_complete_ = is_resumed && size == request_.resume_from;
        const bool is_possible = size && *size >= request_.resume_from; // unknown: nothing would show that it went wrong
        is_other_file_ = is_resumed && !is_missing_ && !is_possible;
    }
    if (dialogue_.has_answer_to("REST"))
        is_other_file_ = !dialogue_.last_reply().starts_with("350");
    return !is_missing_ && !is_complete_ && !is_other_file_;
}

CurlOutcome CurlTransfer::outcome_of(CURLcode code) const
{
    CurlOutcome outcome{.code = code, .words = words_.data(), .last_reply = dialogue_.last_reply()};
    outcome.is_connected = !outcome.last_reply.empty() || result_.certificate.has_value();
    outcome.is_secure = is_secured_;
    if ((outcome.words.empty() || is_missing_) && code != CURLE_OK)
        outcome.words = curl_easy_strerror(code);
    if (code == CURLE_OK && is_cut()) {
        outcome.code = CURLE_PARTIAL_FILE;
        outcome.words = "the data ended without the end of their TLS: somebody may have cut them";
        outcome.last_reply.clear(); // it says that all is well
    }
    if (is_unclear_) {
        outcome.code = CURLE_PARTIAL_FILE;
        outcome.words = "it cannot be understood where to continue: send the file anew, without -c";
    }
    if (is_stalled_)
        outcome.words = "nothing moved for " + std::to_string(request_.stall_timeout.count()) + " seconds";
    if (is_cancelled_)
        outcome.words = "it was interrupted";
    return outcome;
}

void CurlTransfer::settle(CURLcode code)
{
    if (request_.kind == Kind::show_key && result_.certificate) {
        result_.end = End::done;
        return;
    }
    if (request_.kind == Kind::get)
        result_.modified = modified();
    if (is_complete_)
        code = CURLE_OK;
    if (is_missing_)
        code = CURLE_REMOTE_FILE_NOT_FOUND;
    explain_outcome(request_, outcome_of(code), result_);
    if (result_.end == End::done) {
        result_.sentence = what_is_not_as_announced();
        result_.end = result_.sentence.empty() ? End::done : End::broken_off;
    }
    if (is_local_failure_ || is_other_file_) { // the caller knows why
        result_.end = is_local_failure_ ? End::local_failure : End::other_file;
        result_.sentence.clear();
    }
}

CURLcode CurlTransfer::on_ssl_context(CURL*, void* ssl_ctx, void* self)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    tls::PeerEnd& end = transfer.ends_.emplace_back();
    // libcurl ends an upload in order whatever has happened, as when the control connection breaks: a part would look whole.
    end.is_held_back = transfer.request_.kind == Kind::put && transfer.ends_.size() > 1;
    const bool is_ready = tls::put_peers_before(transfer.judge_, transfer.request_.tls, end, ssl_ctx);
    return is_ready ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

std::size_t CurlTransfer::on_data(char* bytes, std::size_t size, std::size_t count, void* self)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    const std::size_t total = size * count;
    transfer.note_move();
    if (!transfer.has_begun_ && transfer.request_.begin && !transfer.request_.begin(transfer.modified())) {
        transfer.abandon(transfer.is_other_file_);
        return CURL_WRITEFUNC_ERROR;
    }
    transfer.has_begun_ = true;
    transfer.received_ += static_cast<std::int64_t>(total);
    const auto left = transfer.announced();
    if (transfer.request_.resume_from > 0 && (!left || transfer.received_ > *left)) { // from the beginning, in spite of REST
        transfer.abandon(transfer.is_other_file_);
        return CURL_WRITEFUNC_ERROR;
    }
    if (transfer.request_.sink && transfer.request_.sink({bytes, total}))
        return total;
    transfer.abandon(transfer.is_local_failure_);
    return CURL_WRITEFUNC_ERROR;
}

std::size_t CurlTransfer::on_source(char* buffer, std::size_t size, std::size_t count, void* self)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    const std::ptrdiff_t filled = transfer.request_.source ? transfer.request_.source({buffer, size * count}) : -1;
    transfer.note_move(); // waiting for a slow pipe of ours is no fault of the network
    if (filled == 0) {
        transfer.wait_for_room();
        tls::allow_end(transfer.ends_.back());
    }
    transfer.sent_ += std::max<std::ptrdiff_t>(filled, 0);
    if (filled >= 0)
        return static_cast<std::size_t>(filled);
    transfer.abandon(transfer.is_local_failure_);
    return CURL_READFUNC_ABORT;
}

int CurlTransfer::on_seek(void* self, curl_off_t offset, int origin)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    transfer.skipped_ = offset;
    if (transfer.dialogue_.size() != offset) { // what libcurl has read is no size
        transfer.is_unclear_ = true;
        return CURL_SEEKFUNC_FAIL;
    }
    if (origin == SEEK_SET && transfer.request_.skip && transfer.request_.skip(offset))
        return CURL_SEEKFUNC_OK;
    transfer.is_local_failure_ = true;
    return CURL_SEEKFUNC_FAIL;
}

std::size_t CurlTransfer::on_reply(char* bytes, std::size_t size, std::size_t count, void* self)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    transfer.note_move();
    std::string_view line(bytes, size * count);
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.remove_suffix(1);
    transfer.dialogue_.heard(line);
    transfer.is_secured_ = transfer.is_secured_ || transfer.result_.certificate.has_value();
    return transfer.is_startable() ? size * count : CURL_WRITEFUNC_ERROR;
}

int CurlTransfer::on_progress(void* self, curl_off_t, curl_off_t downloaded, curl_off_t, curl_off_t uploaded)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    const Clock::time_point now = Clock::now();
    if (downloaded + uploaded != transfer.moved_) {
        transfer.moved_ = downloaded + uploaded;
        transfer.last_move_ = now;
    }
    if (transfer.request_.is_cancelled && transfer.request_.is_cancelled()) {
        transfer.abandon(transfer.is_cancelled_);
        return 1;
    }
    const bool is_under_way = transfer.result_.certificate.has_value(); // before that the connect timeout counts
    if (is_under_way && now - transfer.last_move_ > transfer.request_.stall_timeout) {
        transfer.abandon(transfer.is_stalled_);
        return 1;
    }
    if (transfer.request_.on_progress && (transfer.has_begun_ || uploaded > 0)
        && now - transfer.last_progress_ > kProgressPause) {
        transfer.last_progress_ = now;
        const std::int64_t before = std::max<std::int64_t>(transfer.request_.resume_from, 0);
        const auto coming = transfer.announced();
        const bool is_download = transfer.request_.kind != Kind::put;
        const std::int64_t total = is_download ? before + coming.value_or(-before) : transfer.request_.source_size;
        transfer.request_.on_progress(
            {.done = before + transfer.skipped_ + transfer.moved_, .total = std::max<std::int64_t>(total, 0)});
    }
    return 0;
}

int CurlTransfer::on_dialogue(CURL*, curl_infotype type, char* bytes, std::size_t size, void* self)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    std::string_view line(bytes, size);
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.remove_suffix(1);
    if (type == CURLINFO_HEADER_OUT)
        transfer.dialogue_.sent(line);
    if (!transfer.request_.on_dialogue)
        return 0;
    if (type == CURLINFO_HEADER_OUT)
        transfer.request_.on_dialogue("> " + std::string(line.starts_with("PASS ") ? "PASS ..." : line));
    if (type == CURLINFO_HEADER_IN)
        transfer.request_.on_dialogue("< " + std::string(line));
    return 0;
}

curl_socket_t CurlTransfer::on_open(void* self, curlsocktype, curl_sockaddr* address)
{
    const int made = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (made < 0)
        return CURL_SOCKET_BAD;
    auto& transfer = *static_cast<CurlTransfer*>(self);
    transfer.sockets_.insert(made);
    if (transfer.result_.certificate)
        transfer.data_sockets_.insert(made);
    return made;
}

int CurlTransfer::on_close(void* self, curl_socket_t socket)
{
    auto& transfer = *static_cast<CurlTransfer*>(self);
    transfer.sockets_.erase(socket);
    if (transfer.data_sockets_.erase(socket) > 0 && transfer.dialogue_.has_transfer())
        wait_for_end(socket);
    return ::close(socket);
}

} // namespace

TransferResult transfer(const TransferRequest& request)
{
    CurlTransfer one(request);
    return one.run();
}

} // namespace safetp::client
