// Where the FTP servers' own configurations say that they listen: vsftpd.conf(5), proftpd.conf, and Debian's files for
// pure-ftpd-wrapper(8). And which program is an FTP server at all.
#pragma once

#include "base/ip_address.h"
#include "setup/root.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

enum class FtpdKind { none, vsftpd, proftpd, pure_ftpd, inetutils, other };

/// By the name of the program, in any directory: "ftpd", "in.proftpd", "wu.ftpd". none: no FTP server that is known, and
/// safetpd.
FtpdKind recognise_ftpd(std::string_view program);
bool is_wrapper(std::string_view program);    ///< tcpd or safetp-tcpd
bool is_front_door(std::string_view program); ///< safetpd

/// One address and port that a configuration names.
struct Standing {
    std::optional<IpAddress> address; ///< none: all
    std::uint16_t port = 21;
    std::string file;
    unsigned line = 0;   ///< that made it listen; 0: the default did
    std::string setting; ///< that line
};

/// What a daemon's configuration says about itself. `listens` is empty where it is not to listen by itself.
struct FtpdSettings {
    std::string file; ///< the main one; empty: none was found
    std::vector<Standing> listens{};
    bool asks_tables = false; ///< vsftpd: tcp_wrappers=YES
    std::optional<Standing> insists_on_tls{}; ///< where it says that nobody logs in without TLS of its own; file empty: argv
};

inline constexpr const char* kPureFtpdTlsFile = "/etc/pure-ftpd/conf/TLS";

FtpdSettings parse_vsftpd_conf(std::string_view text, const std::string& file);

/// Include is followed, ServerType, Port, DefaultAddress and VirtualHost are understood.
FtpdSettings read_proftpd_conf(const Root& root, const std::string& file);

/// /etc/default/pure-ftpd-common and /etc/pure-ftpd/conf/Bind.
FtpdSettings read_pure_ftpd_conf(const Root& root);

/// The configuration of a daemon that was started with these arguments ([0] is argv[0]).
FtpdSettings read_ftpd_settings(const Root& root, FtpdKind kind, const std::vector<std::string>& arguments);

/// vsftpd's and proftpd's file among the arguments, or the usual one.
std::string config_file_of(FtpdKind kind, const std::vector<std::string>& arguments);

} // namespace safetp::setup
