// Judges a machine: is there any way round the front door? Pure: everything it looks at is in Situation, and the tables'
// answers come from a Judge.
#pragma once

#include "base/ip_address.h"
#include "setup/door.h"
#include "setup/openings.h"
#include "setup/table_judge.h"

#include <optional>
#include <string>
#include <vector>

namespace safetp::setup {

/// A connection that was tried from this machine to itself.
struct Attempt {
    enum class Result { greeted, closed, refused, silent, failed } result = Result::failed;
    Endpoint endpoint;
    std::string text; ///< the first line that came; printable
};

/// What is known of the machine.
struct Situation {
    bool is_live = true;              ///< false: a scratch root: files only
    bool sees_owners = true;          ///< root: whose socket it is
    std::vector<IpAddress> addresses; ///< of this machine, loopback first
    std::vector<Opening> openings;
    std::vector<Attempt> attempts;
    std::vector<IpAddress> doors; ///< where the gateway listens, if not on all addresses
    std::vector<std::uint16_t> door_ports{21};
    std::string door_starter = "systemctl start safetpd.service"; ///< what opens it where nobody listens
    std::vector<DoorVisit> visits;
    std::optional<Standing> server_tls;     ///< where a started raw ftpd is told to insist on TLS of its own
    std::optional<std::size_t> server_line; ///< bytes that the raw ftpd was seen to read as one line
    std::string server_line_unknown;        ///< else: why it could not be measured; empty: it was not tried
    std::size_t line_bytes = 0;             ///< [server] line_bytes; 0: not said
    bool is_started = false;                 ///< [server] command: the raw ftpd needs no port
    std::optional<IpAddress> server_address; ///< where the gateway looks for it otherwise; none: where the client came in
    std::uint16_t server_port = 351;
    std::string started_daemon;             ///< with is_started: its name in the tables where it asks them itself
    std::string wrapper = "/usr/sbin/tcpd"; ///< the wrapper to propose
    std::string inetd_reload = "kill -HUP \"$(cat /run/inetd.pid)\""; ///< how inetd is told to read its files again
    std::string xinetd_reload = "kill -HUP \"$(cat /run/xinetd.pid)\"";
    std::vector<std::string> firewall;                                ///< signs of one
    std::vector<std::string> unread;                                  ///< what could not be looked at, and why
};

struct Mend {
    std::string where{}; ///< "/etc/inetd.conf, instead of line 3"; "run"
    std::vector<std::string> lines{};
};

/// The tables' (or the lack of them's) answer on one local address.
struct Row {
    std::string address{};
    std::string stranger{}; ///< "let in: hosts.allow:2", "not reachable"
    std::string itself{};   ///< what a process of this machine gets there, and so the gateway
    bool is_way = false;
};

enum class Weight {
    way,     ///< somebody gets round the front door
    trouble, ///< the gateway itself would not get through, or its clients not through the gateway
    note,
};

struct Finding {
    Weight weight = Weight::note;
    std::string where{}; ///< "/etc/inetd.conf:3", "vsftpd.service (/etc/vsftpd.conf:1)", "0.0.0.0:351"
    std::string what{};  ///< one sentence
    std::vector<Row> rows{};
    std::vector<Mend> mends{};
};

std::vector<Finding> diagnose(const Situation& situation, const Judge& judge);

inline constexpr const char* kStranger4 = "203.0.113.77"; ///< RFC 5737
inline constexpr const char* kStranger6 = "2001:db8::77"; ///< RFC 3849

} // namespace safetp::setup
