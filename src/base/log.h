// The log: one line an event, to stderr, the journal or syslog, as text or JSON. Set up once before the fork; each process
// then writes for itself. Everything that came from a peer is escaped here and nowhere else, so no caller can forget it.
#pragma once

#include "base/ip_address.h"
#include "base/unique_fd.h"

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safetp::log {

enum class Level { debug, info, notice, warning, error };
enum class Target { standard_error, journal, syslog }; ///< journal: stderr with sd-daemon(3) "<N>" prefixes
enum class Format { text, json };

struct Options {
    Target target = Target::standard_error;
    Format format = Format::text;
    Level threshold = Level::info;
    int syslog_facility = 0; ///< as in syslog(3), 0 = LOG_FTP
};

void open(const Options& options); ///< opens /dev/log at once, for a later chroot; a stderr that is the journal is found out
const Options& options();
int descriptor(); ///< what it needs besides stderr, for a process that closes the rest; -1: nothing

/// For a process that cannot reach /dev/log any more: system_log.h. Nothing but the target syslog needs it.
void ask_for_syslogd_with(std::function<void()> ask);
void give_syslogd(UniqueFd connection);

bool is_enabled(Level level);

/// One event, written when the object is destroyed. `name` is a fixed word ("login-failed"), for programs; `message` is for
/// people and may hold peers' bytes: it is escaped when written. Text: `#12 message key=value key="value"` (session 0: no
/// number). JSON: one object with ts, level, sid (0: no session), event, message and the fields. Long ones are cut.
class Event {
public:
    Event(Level level, std::uint64_t session, std::string_view name, std::string message);
    Event(const Event&) = delete;
    ~Event();

    Event& with(std::string_view key, std::string_view value);
    Event& with(std::string_view key, const IpAddress& address) { return with(key, address.to_string()); }
    Event& with(std::string_view key, std::integral auto value) { return with_number(key, static_cast<long long>(value)); }

private:
    Event& with_number(std::string_view key, long long value);
    std::string text_line() const;
    std::string json_line() const;

    struct Field {
        std::string key;
        std::string value;
        bool is_number;
    };
    Level level_;
    std::uint64_t session_;
    std::string_view name_;
    std::string message_;
    std::vector<Field> fields_;
};

/// C0, C1, DEL, bidirectional controls and invalid UTF-8 become \xNN; quotes and backslashes are escaped; cut at max_bytes.
std::string escape(std::string_view text, std::size_t max_bytes = 512);

/// "login-failed" at notice, with the text that log_lines.h promises to fail2ban; as JSON with fields user and client.
void login_failure(std::uint64_t session, std::string_view user, const IpAddress& client);

} // namespace safetp::log
