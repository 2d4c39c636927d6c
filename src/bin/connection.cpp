#include "bin/connection.h"

#include "base/log.h"
#include "bin/terminal.h"
#include "client/exit_codes.h"
#include "client/netrc.h"
#include "client/pin_line.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

using client::Login;
using client::TransferRequest;
using client::TransferResult;
using client::Verdict;

volatile std::sig_atomic_t interrupted_by = 0;

/// The first signal ends the transfer in order, so that what has come can be continued later; the second one at once.
void watch_for_interruption()
{
    struct sigaction action { };
    action.sa_handler = [](int signal) { interrupted_by = signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND); // and no SA_RESTART: a question at the terminal ends
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before { };
        const bool is_ignored = ::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN; // as by nohup(1)
        if (!is_ignored)
            ::sigaction(signal, &action, nullptr);
    }
}

bool has_control(const std::string& text)
{
    return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// The password's sources, in order: the URL, SAFETP_PASSWORD, netrc, the terminal. Without a user: netrc, else anonymous.
Result<Login> find_login(const client::FtpUrl& url)
{
    if (url.password)
        return Login{.user = url.user, .password = *url.password};
    const char* const from_environment = std::getenv("SAFETP_PASSWORD");
    if (from_environment != nullptr && !url.user.empty())
        return Login{.user = url.user, .password = from_environment};
    const std::string path = client::netrc_path();
    const auto netrc = client::read_netrc(path);
    if (!netrc)
        return std::unexpected(netrc.error());
    const auto entry = client::find_in_netrc(*netrc, url.server.host, url.user);
    if (!entry)
        return fail(ErrorCode::bad_file, 0, path + ", " + entry.error().context);
    if (*entry && (*entry)->password)
        return Login{.user = (*entry)->user, .password = *(*entry)->password};
    const std::string user = *entry ? (*entry)->user : url.user;
    if (user.empty() || user == "anonymous" || user == "ftp")
        return Login{};
    if (has_person()) {
        if (auto password = ask_password(fmt::format("Password of {} at {}: ", printable(user), url.server.to_string())))
            return Login{.user = user, .password = *std::move(password)};
    }
    return fail(ErrorCode::cancelled, 0,
        "no password for " + printable(user) + ": give it in SAFETP_PASSWORD or in ~/.netrc, since nobody can be asked");
}

/// True: the person says that the key is right, and it is remembered.
bool ask_and_remember(client::PinStore& store, const client::ServerName& server, const tls::PeerCertificate& certificate)
{
    say(fmt::format("The server {} is not known yet. Its key is\n{}\n{}", server.to_string(), key_line(server, certificate),
        certificate_line(certificate)));
    if (!ask_yes_or_no("Is this its key, and shall it be remembered"))
        return false;
    const auto known = store.remember(make_pin(server, certificate, client::Pin::How::first_use));
    if (!known)
        say(describe(known.error()));
    return known.has_value();
}

} // namespace

int complain(int code, const std::string& what)
{
    say(what);
    return code;
}

Result<client::PinStore> open_store(const std::string& file)
{
    if (!file.empty())
        return client::PinStore(file);
    const auto path = client::PinStore::default_path();
    if (!path)
        return std::unexpected(path.error());
    return client::PinStore(*path);
}

std::variant<Connection, int> prepare(const ConnectionArguments& arguments, TransferRequest::Kind kind, client::FtpUrl url)
{
    const auto settings = make_settings(arguments.engine);
    if (const int* code = std::get_if<int>(&settings))
        return *code;
    const auto& made = std::get<client::Settings>(settings);
    const client::ServerSettings& server = made.for_server(url.server);
    for (const std::string& file : {server.certificate.certificate, server.certificate.key, made.authorities}) {
        if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
            return complain(client::kExitNoInput, "cannot read " + file + ": " + std::strerror(errno));
    }
    // libcurl would say that the server's TLS is at fault. A person is asked for the passphrase of a key by OpenSSL.
    if (!server.certificate.certificate.empty() && !has_person()) {
        if (const auto usable = tls::inspect_certificate(server.certificate); !usable)
            return complain(client::kExitNoInput, usable.error().context);
    }
    watch_for_interruption();
    const bool needs_login = kind != TransferRequest::Kind::show_key;
    const auto login = needs_login ? find_login(url) : Result<Login>(Login{});
    if (!login)
        return complain(client::kExitLoginFailed, login.error().context);
    if (has_control(login->user) || has_control(login->password))
        return complain(client::kExitUsage, "the user's name or password has a control character, which FTP cannot carry");
    Connection connection{.request = {.kind = kind, .url = std::move(url), .login = *login},
        .store = client::PinStore(made.pins_file),
        .may_ask = !server.trust.refuse_unknown && has_person()};
    TransferRequest& request = connection.request;
    request.connect_timeout = std::chrono::seconds(arguments.connect_timeout);
    request.stall_timeout = std::chrono::seconds(arguments.stall_timeout);
    request.client_certificate = server.certificate.certificate;
    request.client_key = server.certificate.key;
    request.tls = {.authorities = made.authorities, .minimum_version = made.minimum_tls};
    request.needs_close_notify = server.needs_close_notify;
    request.is_cancelled = [] { return interrupted_by != 0; };
    if (arguments.is_verbose)
        request.on_dialogue = [](const std::string& line) { say(printable(line)); };
    client::TrustOptions options = server.trust;
    options.refuse_unknown = options.refuse_unknown || connection.may_ask;
    request.trust = [name = request.url.server, options = std::move(options), store = connection.store](
                        const tls::PeerCertificate& seen) mutable { return client::decide(name, seen, options, store); };
    return connection;
}

TransferResult run(const ConnectionArguments& arguments, Connection& connection)
{
    const TransferRequest& request = connection.request;
    TransferResult result = client::transfer(request);
    const bool is_unknown = result.verdict && result.verdict->reason == Verdict::Reason::unknown_key;
    if (is_unknown && connection.may_ask && result.certificate) {
        if (ask_and_remember(connection.store, request.url.server, *result.certificate))
            result = client::transfer(request);
        else
            result.sentence = "The key was not accepted, so nothing was sent.";
    }
    if (result.verdict && result.verdict->outcome == Verdict::Outcome::accepted_first_use && !arguments.is_quiet)
        say(result.verdict->for_person);
    if (result.verdict && arguments.is_verbose)
        say(result.verdict->for_log);
    if (!result.sentence.empty())
        say(result.sentence);
    return result;
}

int exit_code_of(TransferResult::End end)
{
    using End = TransferResult::End;
    switch (end) {
    case End::done: return client::kExitOk;
    case End::key_refused:
    case End::not_secure: return client::kExitNotTrusted;
    case End::login_failed: return client::kExitLoginFailed;
    case End::unreachable: return client::kExitUnreachable;
    case End::server_refused: return client::kExitFailure;
    case End::broken_off:
    case End::other_file: return client::kExitTryAgain;
    case End::local_failure: return client::kExitCannotCreate;
    }
    return client::kExitFailure;
}

std::string key_line(const client::ServerName& server, const tls::PeerCertificate& certificate)
{
    return fmt::format(
        "{} {} {} ({})", certificate.key_bits, certificate.key_fingerprint, server.to_string(), certificate.key_type);
}

std::string certificate_line(const tls::PeerCertificate& certificate)
{
    const auto until = std::chrono::floor<std::chrono::seconds>(certificate.not_after);
    return fmt::format("Its certificate is for {}, valid until {}; {}.", printable(certificate.subject),
        client::format_time(until),
        certificate.why_not.empty() ? "the system's authorities vouch for it"
                                    : "no authority vouches for it, because " + printable(certificate.why_not));
}

} // namespace safetp::bin
