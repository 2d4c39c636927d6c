#include "config/report.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::config {

namespace {

/// A file's text ends up on a terminal: nothing in it may steer that terminal.
std::string without_controls(std::string_view text)
{
    std::string clean;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte == 0x7f)
            clean += fmt::format("\\x{:02x}", byte);
        else
            clean += character;
    }
    return clean;
}

} // namespace

std::string in_quotes(std::string_view text)
{
    constexpr std::size_t kMaxShown = 60;
    if (text.size() <= kMaxShown)
        return "\"" + without_controls(text) + "\"";
    std::size_t end = kMaxShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) // never inside a UTF-8 sequence
        --end;
    return "\"" + without_controls(text.substr(0, end)) + "...\"";
}

std::string Problem::to_string() const
{
    const std::string_view word = severity == Severity::error ? "error" : "warning";
    return line == 0 ? fmt::format("{}: {}: {}", file, word, text) : fmt::format("{}:{}: {}: {}", file, line, word, text);
}

unsigned Report::line_of(std::string_view path) const
{
    const auto found = lines_.find(path);
    return found == lines_.end() ? 0 : found->second;
}

void Report::add(Problem::Severity severity, unsigned line, std::string text)
{
    const auto after = std::ranges::upper_bound(problems_, line, {}, &Problem::line);
    problems_.insert(after, {severity, file_, line, without_controls(text)});
}

} // namespace safetp::config
