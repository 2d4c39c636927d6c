#include "base/log.h"

#include "base/log_lines.h"
#include "base/system_log.h"
#include "base/utf8.h"

#include <cerrno>
#include <poll.h>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

namespace safetp::log {

namespace {

// As written. A line stays below PIPE_BUF (pipe(7)): longer ones of several processes could be mixed, and could block in a pipe
// that has just said it is ready.
constexpr std::size_t kMaxMessageBytes = 2048;
constexpr std::size_t kMaxValueBytes = 512;

Options current_options; // written before the fork only
SystemLog system_log;

std::string_view level_word(Level level)
{
    switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::notice: return "notice";
    case Level::warning: return "warning";
    case Level::error: return "error";
    }
    return "error";
}

int syslog_priority(Level level)
{
    switch (level) {
    case Level::debug: return LOG_DEBUG;
    case Level::info: return LOG_INFO;
    case Level::notice: return LOG_NOTICE;
    case Level::warning: return LOG_WARNING;
    case Level::error: return LOG_ERR;
    }
    return LOG_ERR;
}

/// UTC, ISO 8601 with milliseconds: needs no zone file, so it is the same inside a chroot.
std::string timestamp()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm utc{};
    ::gmtime_r(&now.tv_sec, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
        utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1'000'000);
}

bool is_bare_word(std::string_view value)
{
    for (const char c : value) {
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && std::string_view("._:/@+-%,").find(c) == std::string_view::npos)
            return false;
    }
    return !value.empty();
}

enum class Style { text, quoted_text, json };

std::string escaped(std::string_view bytes, const CodePoint& shown, Style style)
{
    if (!shown.is_printable && style == Style::json) // the controls all lie below U+10000
        return shown.is_valid ? fmt::format("\\u{:04x}", static_cast<unsigned>(shown.value)) : "\\ufffd";
    std::string result;
    if (!shown.is_printable) {
        for (const char byte : bytes)
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        return result;
    }
    if (bytes == "\\" || (bytes == "\"" && style != Style::text))
        result = '\\';
    return result += bytes;
}

/// Never cut inside what stands for one character; the end of what was cut shows it.
std::string escape_text(std::string_view text, std::size_t max_bytes, Style style)
{
    static constexpr std::string_view kCut = "...";
    std::string result;
    std::size_t last_fit = 0; // how much may stay if it has to be cut
    while (!text.empty()) {
        const CodePoint next = next_code_point(text);
        result += escaped(text.substr(0, next.bytes), next, style);
        if (result.size() > max_bytes) {
            result.resize(last_fit);
            result += kCut.substr(0, max_bytes - last_fit);
            return result;
        }
        if (result.size() + kCut.size() <= max_bytes)
            last_fit = result.size();
        text.remove_prefix(next.bytes);
    }
    return result;
}

std::string json_string(std::string_view text, std::size_t max_bytes = kMaxValueBytes)
{
    return '"' + escape_text(text, max_bytes, Style::json) + '"';
}

/// systemd.exec(5): what stderr is connected to, if that is the journal, as "DEVICE:INODE".
bool is_stderr_the_journal()
{
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    return stream != nullptr && ::fstat(STDERR_FILENO, &status) == 0
        && fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

void write_line(Level level, std::string line)
{
    if (current_options.target == Target::syslog)
        return system_log.write(syslog_priority(level), line);
    if (current_options.target == Target::journal)
        line.insert(0, fmt::format("<{}>", syslog_priority(level)));
    line += '\n';
    // One write a line, so that processes never mix theirs. A log that cannot be written must not stop the service: where
    // nobody reads a full pipe any more, the line is lost.
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) == 0)
        return;
    while (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno == EINTR)
        continue;
}

} // namespace

void open(const Options& options)
{
    current_options = options;
    if (options.target == Target::standard_error && is_stderr_the_journal())
        current_options.target = Target::journal;
    if (options.target != Target::syslog)
        return system_log.close();
    ::tzset(); // syslogd wants local time: read the zone while its file can be reached
    system_log.open(options.syslog_facility == 0 ? LOG_FTP : options.syslog_facility);
}

void ask_for_syslogd_with(std::function<void()> ask) { system_log.ask_with(std::move(ask)); }

void give_syslogd(UniqueFd connection) { system_log.give(std::move(connection)); }

const Options& options() { return current_options; }

int descriptor() { return system_log.descriptor(); }

bool is_enabled(Level level) { return level >= current_options.threshold; }

Event::Event(Level level, std::uint64_t session, std::string_view name, std::string message)
    : level_(level)
    , session_(session)
    , name_(name)
    , message_(std::move(message))
{
}

Event& Event::with(std::string_view key, std::string_view value)
{
    if (is_enabled(level_))
        fields_.push_back({std::string(key), std::string(value), false});
    return *this;
}

Event& Event::with_number(std::string_view key, long long value)
{
    if (is_enabled(level_))
        fields_.push_back({std::string(key), std::to_string(value), true});
    return *this;
}

std::string Event::text_line() const
{
    std::string line = session_ == 0 ? "" : fmt::format("#{} ", session_);
    line += escape_text(message_, kMaxMessageBytes, Style::text);
    for (const Field& field : fields_) {
        line += ' ' + field.key + '=';
        line += field.is_number || is_bare_word(field.value) ? field.value : '"' + escape(field.value) + '"';
    }
    return line;
}

std::string Event::json_line() const
{
    std::string line = fmt::format(R"({{"ts":"{}","level":"{}","sid":{})", timestamp(), level_word(level_), session_);
    line += R"(,"event":)" + json_string(name_) + R"(,"message":)" + json_string(message_, kMaxMessageBytes);
    for (const Field& field : fields_) {
        line += ',' + json_string(field.key) + ':';
        line += field.is_number ? field.value : json_string(field.value);
    }
    return line + '}';
}

Event::~Event()
{
    if (!is_enabled(level_))
        return;
    if (current_options.format == Format::json)
        write_line(level_, json_line());
    else if (current_options.target == Target::standard_error)
        write_line(level_, timestamp() + ' ' + text_line());
    else
        write_line(level_, text_line());
}

std::string escape(std::string_view text, std::size_t max_bytes) { return escape_text(text, max_bytes, Style::quoted_text); }

void login_failure(std::uint64_t session, std::string_view user, const IpAddress& client)
{
    Event event(Level::notice, session, "login-failed", login_failure_line(user, client));
    if (current_options.format == Format::json) // in text they would stand behind the "]" at which filters end
        event.with("user", user).with("client", client);
}

} // namespace safetp::log
