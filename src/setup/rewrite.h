// How the texts of a machine's files are changed, each as little as possible: what `safetpd setup` writes and `safetpd doctor`
// proposes. Pure; every function gives a text back as it is where nothing is to be changed.
#pragma once

#include "base/ip_address.h"
#include "base/result.h"
#include "setup/inetd_conf.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safetp::setup {

// ---- inetd.conf ----

/// The line as the raw ftpd's: service raw-ftp instead of ftp, and through `wrapper` where no wrapper stands there yet.
InetdLine as_raw(const InetdLine& line, const std::string& wrapper);

/// The text with one of its lines (of parse_inetd_conf) replaced.
std::string with_line_replaced(std::string_view text, const InetdLine& line, std::string_view replacement);

/// xinetd.conf(5) with "disable = yes" in the block that begins in `line` with `first_line` ("service ftp").
std::string with_xinetd_disabled(std::string_view text, unsigned line, std::string_view first_line);

// ---- the access tables ----

/// Whether a rule can name it: no blanks, commas, colons, patterns, and not a number (which would be a port).
bool is_daemon_name(std::string_view name);

/// `wu.ftpd : 127.0.0.1 [::1] 192.0.2.1`, several rules where one would be longer than libwrap reads.
std::vector<std::string> allow_rules(const std::string& daemon, const std::vector<IpAddress>& addresses);

/// The table with these lines at its top, between two comments that are ours; the lines that stood between them before are
/// gone. At the top, so that no rule, and no broken line, comes before them.
std::string with_table_lines(std::string_view text, const std::vector<std::string>& lines);

// ---- the ftpds' configurations ----

std::string with_vsftpd_setting(std::string_view text, const std::string& key, const std::string& value); ///< key=value
std::string with_proftpd_setting(std::string_view text, const std::string& key, const std::string& value); ///< key value
std::string with_shell_setting(std::string_view text, const std::string& name, const std::string& value);

// ---- safetpd.toml ----

/// [server] with these keys; a key without a value is taken out (made a comment). bad_config: the text is too unusual to be
/// edited, or not valid afterwards.
using ServerKeys = std::vector<std::pair<std::string, std::optional<std::string>>>;
Result<std::string> with_server_keys(std::string_view toml, const ServerKeys& keys, const std::string& file);

std::string toml_text(std::string_view value); ///< a basic string
std::string toml_list(const std::vector<std::string>& values);

} // namespace safetp::setup
