#include "config/line_check.h"

#include <algorithm>

namespace safetp::config {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kNameStart = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-\"'";

/// A line of a list may begin with a bracket too, but none of our lists holds lists.
bool is_broken_header(std::string_view line)
{
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (!line.starts_with('['))
        return false;
    line.remove_prefix(line.starts_with("[[") ? 2 : 1);
    const auto start = line.find_first_not_of(kBlanks);
    return start == std::string_view::npos || kNameStart.find(line[start]) == std::string_view::npos;
}

/// Takes the text with its quotes from the front of `line`; all of the line where it does not end.
void skip_text(std::string_view& line)
{
    const char quote = line.front();
    std::size_t end = 1;
    while (end < line.size() && line[end] != quote)
        end += quote == '"' && line[end] == '\\' ? 2 : 1; // a text in single quotes has no escapes
    line.remove_prefix(std::min(end + 1, line.size()));
}

} // namespace

std::string_view describe_unfit_line(std::string_view line)
{
    if (line.starts_with(kByteOrderMark))
        line.remove_prefix(kByteOrderMark.size());
    if (is_broken_header(line))
        return "a section's name must follow the bracket, as in [tls] or [[listener]]";
    while (!line.empty() && line.front() != '#') {
        if (line.starts_with("\"\"\"") || line.starts_with("'''"))
            return "three quotes: no text here goes over several lines";
        if (static_cast<unsigned char>(line.front()) >= 0x80)
            return "a character that only texts in quotes and comments may hold (a typographic quote or blank, perhaps)";
        if (line.front() == '"' || line.front() == '\'')
            skip_text(line);
        else
            line.remove_prefix(1);
    }
    return {};
}

} // namespace safetp::config
