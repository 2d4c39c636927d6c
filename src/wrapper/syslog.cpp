#include "wrapper/syslog.h"

#include <algorithm>
#include <array>
#include <span>
#include <strings.h>
#include <syslog.h>

namespace safetp::wrapper {

namespace {

struct Word {
    std::string_view name;
    int value;
};

constexpr std::array kFacilities = std::to_array<Word>({
    {"kern", LOG_KERN}, {"user", LOG_USER}, {"mail", LOG_MAIL}, {"daemon", LOG_DAEMON}, {"auth", LOG_AUTH}, {"lpr", LOG_LPR},
    {"news", LOG_NEWS}, {"uucp", LOG_UUCP}, {"cron", LOG_CRON}, {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
});
constexpr std::array kLevels = std::to_array<Word>({
    {"emerg", LOG_EMERG}, {"alert", LOG_ALERT}, {"crit", LOG_CRIT}, {"err", LOG_ERR}, {"warning", LOG_WARNING},
    {"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG},
});

std::optional<int> find(std::span<const Word> words, std::string_view name)
{
    const auto is_it = [name](const Word& word) {
        return word.name.size() == name.size() && ::strncasecmp(word.name.data(), name.data(), name.size()) == 0;
    };
    const auto found = std::ranges::find_if(words, is_it);
    return found == words.end() ? std::nullopt : std::optional(found->value);
}

} // namespace

std::optional<int> priority_of(std::string_view level)
{
    const std::size_t dot = level.find('.');
    if (dot == std::string_view::npos)
        return find(kLevels, level);
    const auto facility = find(kFacilities, level.substr(0, dot));
    const auto severity = find(kLevels, level.substr(dot + 1));
    return facility && severity ? std::optional(*facility | *severity) : std::nullopt;
}

std::string one_line(std::string_view text)
{
    std::string line(text);
    std::ranges::replace_if(line, [](unsigned char byte) { return byte < ' ' || byte == 0x7f; }, '?');
    return line;
}

void open_system_log(const char* name) { ::openlog(name, LOG_PID, LOG_DAEMON); }

void write_system_log(const access::Report& report)
{
    ::syslog(priority_of(report.level).value_or(LOG_ERR), "%s", one_line(report.text).c_str());
}

} // namespace safetp::wrapper
