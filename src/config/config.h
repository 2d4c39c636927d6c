// The configuration as plain structs with their defaults: what safetpd.toml(5) describes. load.h fills it.
#pragma once

#include "base/ip_address.h"
#include "base/log.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace safetp::config {

using std::chrono::seconds;

enum class Security { required, required_except_anonymous, optional }; ///< TLS before USER?
enum class DataSecurity { required, optional };                       ///< PROT P on a secured control connection?
enum class SessionReuse { off, prefer, require };                     ///< data TLS session bound to the control session?
enum class ClientCertificate { off, request, require };
enum class DataKeyExchange { session, each };                             ///< where a data connection's keys come from
enum class DataPeer { same_address, same_network, any };              ///< any: only together with SessionReuse::require
enum class ServerDataMode { automatic, epsv, pasv, active };
enum class AccessReading { safe, strict };                            ///< of hosts.allow and hosts.deny: docs/hosts-access.md
enum class Paranoid { rules, always };                                ///< who refuses names that do not check out
enum class Refusal { reply, silent, delay };                          ///< 421 at once; close at once; close after a while
enum class BadTable { deny, keep };                                   ///< a broken table: refuse all, or use the last good one

struct Listener {
    std::optional<IpAddress> address; ///< none: all IPv4 and IPv6 addresses
    std::uint16_t port = 21;
    bool implicit_tls = false;
    Security security = Security::required;
    DataSecurity data_security = DataSecurity::required;
    SessionReuse session_reuse = SessionReuse::prefer;
    ClientCertificate client_certificate = ClientCertificate::off;
    bool allow_ccc = false;
    std::string daemon{}; ///< its name in hosts.allow and hosts.deny; empty: Access::daemon
    bool operator==(const Listener&) const = default;
};

/// The raw ftpd. With a command it is started for each session on a connected loopback socket, as inetd does it.
struct Server {
    std::optional<IpAddress> address; ///< none: the local address on which the client reached us
    std::uint16_t port = 351;         ///< where services(5) has no "raw-ftp"
    std::vector<std::string> command; ///< program and arguments; the program is an absolute path
    std::string argv0;                ///< what the program sees as argv[0]; empty: its own name
    std::string user;                 ///< who runs it; empty: whoever started safetpd
    std::string directory;            ///< its working directory; empty: /
    ServerDataMode data_mode = ServerDataMode::automatic;
    unsigned line_bytes = 0;          ///< the longest line that it reads as one, CRLF included; 0: it is measured
    bool operator==(const Server&) const = default;
};

struct CertificateFiles {
    std::string certificate; ///< PEM, the chain leaf first
    std::string key;         ///< PEM; empty: in the certificate's file
    bool operator==(const CertificateFiles&) const = default;
};

struct Tls {
    std::vector<CertificateFiles> certificates; ///< the first is the default; SNI chooses among all. None: self-made
    std::string key_directory = "/var/lib/safetp"; ///< where the self-made key and certificate live
    std::string minimum_version = "1.2";        ///< "1.2" or "1.3"
    std::string ciphers;                        ///< TLS 1.2 list, OpenSSL's language; empty: ECDHE with AEAD only
    std::string ciphersuites;                   ///< TLS 1.3; empty: OpenSSL's default
    std::string client_ca;                      ///< PEM; needed where client certificates are asked for
    std::string client_crl;                     ///< PEM; revocation lists beside those in client_ca; empty: none
    bool refuse_unknown_names = false;          ///< SNI that no certificate bears: unrecognized_name instead of the default
    seconds ticket_lifetime{7200};
    DataKeyExchange data_key_exchange = DataKeyExchange::session;
    bool operator==(const Tls&) const = default;
};

struct Announce {
    std::string address;                               ///< IPv4 address or host name for 227 replies; empty: our own
    std::vector<std::pair<Network, std::string>> for_clients; ///< the first network that holds the client wins
    bool operator==(const Announce&) const = default;
};

struct Data {
    std::uint16_t first_port = 50000;
    std::uint16_t last_port = 50999;
    Announce announce;
    DataPeer peer = DataPeer::same_address;
    bool operator==(const Data&) const = default;
};

/// How many sessions may be without a login at one time, as MaxStartups of sshd_config(5): from `begin` on `percent` of the
/// new ones are refused at random, rising to all of them at `full`.
struct Startups {
    unsigned begin = 0;
    unsigned percent = 30;
    unsigned full = 0;
    bool operator==(const Startups&) const = default;
};

struct Rate {
    unsigned count = 1;
    seconds time{1};
    bool operator==(const Rate&) const = default;
};

struct Limits {
    unsigned sessions = 2000;
    unsigned sessions_per_client = 20;   ///< per client: an IPv4 address or an IPv6 /64; 4 times that a /56, 16 times a /48
    std::optional<Startups> startups;    ///< none: startups_of() works it out
    Rate connection_rate{120, seconds(60)}; ///< new connections per client that lead to no login; networks as above
    unsigned waiting_commands = 64;
    unsigned line_bytes = 4096;          ///< a command line, CRLF included
    unsigned reply_line_bytes = 16384;
    unsigned reply_bytes = 16u << 20;    ///< one whole reply, as a STAT of a large directory
    unsigned login_failures = 5;         ///< then 421
    unsigned bad_commands = 20;          ///< unreadable or refused lines before login, then 421
    bool operator==(const Limits&) const = default;
};

/// What counts where nothing is configured: half of all sessions, refused at random from a quarter on; but of few sessions all.
Startups startups_of(const Limits& limits);

struct Timeouts {
    seconds handshake{15};
    seconds login{60};
    seconds idle{900};
    seconds server_connect{10};
    seconds server_greeting{30};
    seconds server_reply{300};
    seconds server_end{60}; ///< for a started raw ftpd after its session; then SIGTERM, and soon SIGKILL
    seconds data_connection{60};
    seconds data_stall{300};
    seconds data_close{5};
    seconds drain{60};      ///< after TERM: how long transfers under way may go on; 0: not at all
    seconds upgrade{60};    ///< after USR2: until the new program is ready
    seconds keepalive{60};  ///< TCP keepalive on control connections: idle time before the first probe
    bool operator==(const Timeouts&) const = default;
};

struct Log {
    log::Options options;
    std::string xferlog; ///< file; empty: none
    bool operator==(const Log& other) const
    {
        return options.target == other.options.target && options.format == other.options.format
            && options.threshold == other.options.threshold && options.syslog_facility == other.options.syslog_facility
            && xferlog == other.xferlog;
    }
};

struct Process {
    std::string user = "safetp"; ///< workers' identity when started as root
    std::string chroot = "/run/safetp/empty"; ///< made if missing, must be empty; only when started as root
    unsigned workers = 0;        ///< 0: one per processor
    std::string pid_file;        ///< empty: none
    bool operator==(const Process&) const = default;
};

/// Who may come in: hosts_access(5) for the front door.
struct Access {
    bool enabled = true;
    std::string hosts_allow = "/etc/hosts.allow"; ///< may be missing: then it has no rules
    std::string hosts_deny = "/etc/hosts.deny";
    AccessReading reading = AccessReading::safe;
    Paranoid paranoid = Paranoid::rules;
    std::string daemon = "safetpd";
    seconds lookup_time{5};  ///< for all lookups of one connection together; what is not known by then is `unknown`
    seconds ident_time{2};   ///< for RFC 931 alone
    seconds cache_time{60};  ///< how long a name stays known; 0: not at all
    Refusal refusal = Refusal::reply;
    seconds refusal_delay{5};
    unsigned refusal_slots = 100; ///< delayed refusals at one time in one worker; the next ones are closed at once
    BadTable bad_table = BadTable::deny;
    bool commands = false;        ///< spawn, twist and aclexec of rules are carried out
    std::string command_user = "nobody"; ///< who runs them, when started as root
    bool operator==(const Access&) const = default;
};

struct Config {
    std::vector<Listener> listeners; ///< as loaded: at least one
    Server server;
    Access access;
    Tls tls;
    Data data;
    Limits limits;
    Timeouts timeouts;
    Log log;
    Process process;
    std::string greeting; ///< instead of the raw ftpd's 220 text, one line; empty: the raw ftpd's own
    bool operator==(const Config&) const = default;
};

} // namespace safetp::config
