// safetp-tcpd: stands between inetd(8) and a daemon in the place of tcpd(8). Decides by hosts.allow and hosts.deny, says so in
// the system log, and becomes the daemon, or refuses.
#include "access/evaluation.h"
#include "base/error.h"
#include "config/load.h"
#include "wrapper/command.h"
#include "wrapper/connection.h"
#include "wrapper/daemon_name.h"
#include "wrapper/decide.h"
#include "wrapper/ip_options.h"
#include "wrapper/syslog.h"
#include "wrapper/table_files.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <variant>

namespace {

using safetp::access::Outcome;
using safetp::access::Reading;
using safetp::access::Report;
using safetp::access::Request;
using safetp::access::Tables;
using safetp::access::Verdict;
using safetp::wrapper::Connection;
using safetp::wrapper::Daemon;
using safetp::wrapper::write_system_log;

constexpr const char* kOwnName = "safetp-tcpd";
constexpr mode_t kDaemonMask = 022;
constexpr std::chrono::seconds kRefusalDelay{5};        ///< as tcpd: else inetd would start us as fast as a client can connect
constexpr std::chrono::seconds kLibraryIdentTime{10};
constexpr std::chrono::seconds kWaitForWriter{2};
constexpr std::chrono::milliseconds kWriterPause{50};

constexpr const char* kHelp =
    "safetp-tcpd {}: decides by hosts.allow and hosts.deny who may reach a daemon that inetd(8) starts.\n"
    "It is not started by hand. In inetd.conf it stands in the place of tcpd(8), with the daemon's own command behind it:\n"
    "  raw-ftp stream tcp nowait root /usr/sbin/safetp-tcpd wu.ftpd -l -i -a -t0\n"
    "See safetp-tcpd(8). To see what the rules say of a client: safetpd explain CLIENT\n";

void log_error(const std::string& text) { write_system_log({"err", text}); }

/// The end of every refusal. Not 1: for some inetd a service whose server fails is a broken one.
[[noreturn]] void end_slowly(const Connection& connection)
{
    safetp::wrapper::eat_datagram(connection);
    std::this_thread::sleep_for(kRefusalDelay);
    std::exit(0);
}

std::string who(const Request& request)
{
    return fmt::format("{} ({})", safetp::access::client_text(request), request.client_address);
}

[[noreturn]] void refuse(const Connection& connection, const Request& request, const std::string& severity = {})
{
    write_system_log({severity.empty() ? "warning" : severity, "refused connect from " + who(request)});
    end_slowly(connection);
}

// ---- what it is told ----

struct Settings {
    safetp::wrapper::TablePaths paths;
    Reading reading = Reading::safe;
    bool is_always_paranoid = false;
    std::chrono::milliseconds lookup_time{0};
    std::chrono::milliseconds ident_time{0};
};

Settings to_settings(const safetp::config::Access& access)
{
    const bool is_strict = access.reading == safetp::config::AccessReading::strict;
    return {.paths = {access.hosts_allow, access.hosts_deny},
        .reading = is_strict ? Reading::strict : Reading::safe,
        .is_always_paranoid = access.paranoid == safetp::config::Paranoid::always,
        .lookup_time = access.lookup_time,
        .ident_time = is_strict ? kLibraryIdentTime : access.ident_time};
}

/// Section [access] of safetpd.toml; the defaults where there is no such file. A file with any mistake may be one whose author
/// meant something stricter: nobody comes in.
Settings read_settings(const Connection& connection, const Request& request)
{
    struct stat status{};
    if (::stat(safetp::config::kDefaultPath, &status) != 0 && errno == ENOENT)
        return to_settings({});
    const safetp::config::Loaded loaded = safetp::config::load(safetp::config::kDefaultPath);
    if (loaded.is_usable())
        return to_settings(loaded.config.access);
    for (const auto& problem : loaded.problems) {
        if (problem.severity == safetp::config::Problem::Severity::error)
            log_error("error: " + problem.to_string());
    }
    log_error(fmt::format("error: {} cannot be used, so everybody is refused", safetp::config::kDefaultPath));
    refuse(connection, request);
}

// ---- what it looks at ----

/// tcpd looks for source routes four bytes too late on Linux, and where it sees one it shuts the connection and goes on.
void check_ip_options(const Connection& connection, const Request& request)
{
    using Finding = safetp::wrapper::IpOptions::Finding;
    const auto options = safetp::wrapper::find_ip_options(connection.fd);
    if (options.finding == Finding::none)
        return;
    const std::string client = safetp::access::client_text(request);
    if (options.finding == Finding::source_route) {
        write_system_log({"warning", fmt::format("refused connect from {} with IP source routing options", client)});
        ::shutdown(connection.fd, SHUT_RDWR);
        end_slowly(connection);
    }
    write_system_log({"notice", fmt::format("connect from {} with IP options (ignored):{}", client, options.text)});
    if (const int error = safetp::wrapper::remove_ip_options(connection.fd); error != 0) {
        log_error(fmt::format("setsockopt IP_OPTIONS NULL: {}", std::strerror(error)));
        ::shutdown(connection.fd, SHUT_RDWR);
    }
}

/// The tables as they stand on the disk. In safe not while somebody writes them: half a table may let in whom the whole would
/// refuse.
safetp::access::TableFiles read_tables(const Connection& connection, const Request& request, const Settings& settings)
{
    const auto deadline = std::chrono::steady_clock::now() + kWaitForWriter;
    for (;;) {
        auto snapshot = safetp::wrapper::read_tables(settings.paths, settings.reading, {request.daemon});
        if (settings.reading == Reading::strict || snapshot.unsettled.empty())
            return std::move(snapshot.files);
        if (std::chrono::steady_clock::now() >= deadline) {
            log_error(fmt::format("error: {} is still being written, so everybody is refused", snapshot.unsettled.front()));
            refuse(connection, request);
        }
        std::this_thread::sleep_for(kWriterPause);
    }
}

struct Decision {
    Verdict verdict;
    Request request; ///< with what was looked up
};

Decision decide_by_tables(const Connection& connection, Request request, const Settings& settings)
{
    safetp::wrapper::Means means{.connection = connection, .reading = settings.reading,
        .lookup_time = settings.lookup_time, .ident_time = settings.ident_time, .report = write_system_log};
    if (settings.is_always_paranoid) {
        const auto finding = safetp::wrapper::find_name(connection.client, means);
        if (!finding.warning.empty())
            log_error("warning: " + finding.warning);
        request.client_name = finding.value;
        if (request.client_name == safetp::access::kParanoid)
            refuse(connection, request);
    }
    const auto image = safetp::access::compile(read_tables(connection, request, settings), settings.reading);
    const auto tables = Tables::open(image);
    if (!tables) {
        log_error("error: " + describe(tables.error()));
        refuse(connection, request);
    }
    // For this connection alone, so twist may have it.
    safetp::access::Evaluation evaluation(*tables, std::move(request), {.resident = false});
    Verdict verdict = safetp::wrapper::decide(evaluation, std::move(means));
    return {std::move(verdict), evaluation.request()};
}

// ---- what it does ----

[[noreturn]] void become_daemon(const Connection& connection, const Daemon& daemon, char** arguments)
{
    std::string name = daemon.name;
    arguments[0] = name.data();
    ::execv(daemon.path.c_str(), arguments);
    log_error(fmt::format("error: cannot execute {}: {}", daemon.path, std::strerror(errno)));
    end_slowly(connection);
}

[[noreturn]] void become_twist(const Connection& connection, const std::string& command)
{
    const int error = safetp::wrapper::become_command(command, connection.fd);
    log_error(fmt::format("warning: twist: /bin/sh: {}", std::strerror(error)));
    end_slowly(connection);
}

/// Two lines for what is no connection, as tcpd has them.
Connection take_connection()
{
    Connection connection = safetp::wrapper::identify_connection(STDIN_FILENO);
    if (!connection.warning.empty())
        log_error("warning: " + connection.warning);
    if (connection.client)
        return connection;
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getpeername(STDIN_FILENO, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        log_error(fmt::format("getpeername: {}", std::strerror(errno)));
    end_slowly(connection);
}

[[noreturn]] void guard(const Daemon& daemon, char** arguments)
{
    const Connection connection = take_connection();
    const Request plain = safetp::wrapper::request_for(connection, daemon.name);
    const Settings settings = read_settings(connection, plain);
    check_ip_options(connection, plain);
    const auto [verdict, request] = decide_by_tables(connection, plain, settings);
    if (verdict.outcome == Outcome::twisted)
        become_twist(connection, verdict.twist);
    if (!verdict.granted())
        refuse(connection, request, verdict.severity);
    write_system_log({verdict.severity.empty() ? "info" : verdict.severity, "connect from " + who(request)});
    become_daemon(connection, daemon, arguments);
}

/// Somebody has typed our name, rather than inetd having given a daemon's.
bool is_started_by_hand(const char* argv0)
{
    const std::string_view name(argv0);
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const bool is_socket = ::getsockname(STDIN_FILENO, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    return name.substr(name.rfind('/') + 1) == kOwnName && !is_socket;
}

int answer_by_hand(std::string_view argument)
{
    const bool is_asked = argument == "-h" || argument == "--help";
    if (argument == "--version")
        fmt::print("{} {}\n", kOwnName, SAFETP_VERSION);
    else
        fmt::print(is_asked ? stdout : stderr, kHelp, SAFETP_VERSION);
    return is_asked || argument == "--version" ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int count, char** arguments)
{
    if (count < 1 || arguments[0] == nullptr)
        return EXIT_FAILURE; // no daemon's name, so nothing that could be allowed
    if (is_started_by_hand(arguments[0]))
        return answer_by_hand(count > 1 ? arguments[1] : "");
    ::umask(kDaemonMask);
    static const Daemon daemon = safetp::wrapper::find_daemon(arguments[0]);
    safetp::wrapper::open_system_log(daemon.name.c_str());
    try {
        guard(daemon, arguments);
    } catch (const std::exception& failure) {
        log_error(fmt::format("error: {}; refused", failure.what()));
        std::this_thread::sleep_for(kRefusalDelay);
    }
}
