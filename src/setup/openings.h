// Every place where an FTP server can be reached without the front door: what inetd, xinetd and systemd are told to start, what
// the servers' own configurations say, and who listens now.
#pragma once

#include "base/ip_address.h"
#include "setup/ftpd_conf.h"
#include "setup/inetd_conf.h"
#include "setup/root.h"
#include "setup/services_file.h"
#include "setup/sockets_file.h"
#include "setup/systemd_units.h"

#include <optional>
#include <string>
#include <vector>

namespace safetp::setup {

enum class Source {
    inetd,          ///< a line of inetd.conf(5)
    xinetd,         ///< a service block
    systemd_socket, ///< a socket unit that starts an ftpd
    standalone,     ///< an ftpd that is started at boot and listens by itself
    socket,         ///< only a listening socket is known
};

/// Whether anything asks hosts.allow and hosts.deny before the ftpd speaks.
enum class Asks { nobody, tables, unknown };

struct Opening {
    Source source = Source::socket;
    std::string file{}; ///< where it is configured; empty: nowhere that was found
    unsigned line = 0;
    std::string text{};                   ///< that line
    std::string unit{};                   ///< of systemd, or the init script's name
    std::string program{};                ///< the ftpd, behind a wrapper; empty: unknown
    std::vector<std::string> arguments{}; ///< [0] is argv[0]
    FtpdKind kind = FtpdKind::none;
    std::string daemon{};               ///< its name in the tables
    std::optional<IpAddress> address{}; ///< none: all
    std::uint16_t port = 0;
    Asks asks = Asks::nobody;
    std::string why{};         ///< who asks, or why nobody does: one clause
    bool is_listening = false; ///< a socket is open now

    std::string name() const; ///< of the program, for people
};

/// What the configuration files say. `ftp_ports` are those on which also an unknown program counts as an FTP server.
struct Openings {
    std::vector<Opening> found;
    std::vector<Opening> doors;      ///< of ours: what opens the front door in safetpd's place (inetd's line, a socket unit)
    std::vector<std::string> unread; ///< files that could not be read: why
};
Openings find_configured(const Root& root, const std::vector<Service>& services, const std::vector<std::uint16_t>& ftp_ports);

/// Marks what listens now and adds sockets that no file explains.
void add_listeners(const Root& root, const std::vector<Listener>& listeners, const std::vector<std::uint16_t>& ftp_ports,
    Openings& openings);

/// Files of inetd: inetd.conf, and inetd.d of inetutils.
std::vector<std::string> inetd_files(const Root& root);

/// The program that a line of inetd's runs in the end, behind a wrapper; its arguments ([0] is argv[0]) and its name in the
/// tables.
struct Target {
    std::string wrapper; ///< empty: none
    std::string program;
    std::vector<std::string> arguments;
    std::string daemon;
};
Target find_target(const std::string& program, const std::vector<std::string>& arguments);

} // namespace safetp::setup
