#include "client/pins.h"

#include "client/pin_file.h"
#include "client/pin_line.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <pwd.h>
#include <unistd.h>

namespace safetp::client {

namespace {

struct Line {
    std::string text;
    PinLine meaning;
};

/// A file without a newline at its end loses nothing: it gets one when it is written again.
std::vector<Line> split_lines(std::string_view text)
{
    std::vector<Line> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        lines.push_back({.text = std::string(line), .meaning = parse_pin_line(line)});
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

Result<std::vector<Line>> read_lines(const std::string& path)
{
    const auto text = read_pin_file(path);
    if (!text)
        return std::unexpected(text.error());
    return split_lines(*text);
}

Result<void> write_lines(const std::string& path, const std::vector<Line>& lines)
{
    std::string text;
    if (lines.empty() || !lines.front().text.starts_with('#'))
        text = kPinFileHeader;
    for (const Line& line : lines)
        text.append(line.text).append("\n");
    return replace_pin_file(path, text);
}

void append(std::vector<Line>& lines, const Pin& pin) { lines.push_back({.text = format_pin_line(pin), .meaning = pin}); }

/// The pin of this line if it is about the server, else null.
Pin* pin_of(Line& line, const ServerName& server)
{
    Pin* const pin = std::get_if<Pin>(&line.meaning);
    return pin != nullptr && pin->server == server ? pin : nullptr;
}

std::string place(const std::string& path, std::size_t index) { return path + ":" + std::to_string(index + 1); }

KnownServer look_up(std::vector<Line>& lines, const ServerName& server, const std::string& path)
{
    KnownServer known;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto* const bad = std::get_if<BadLine>(&lines[i].meaning);
        if (bad != nullptr && bad->server == server) {
            known.unreadable_line = place(path, i);
            known.must_be_secure = true;
        }
        if (bad != nullptr && !bad->server && known.nameless_line.empty()) {
            known.nameless_line = place(path, i);
            known.must_be_secure = true;
        }
        const Pin* const pin = pin_of(lines[i], server);
        if (pin == nullptr)
            continue;
        known.must_be_secure = true;
        if (!pin->fingerprint.empty())
            known.pins.push_back(*pin);
    }
    return known;
}

Line* find_line(std::vector<Line>& lines, const ServerName& server, std::string_view fingerprint)
{
    const auto found = std::ranges::find_if(lines, [&](Line& line) {
        const Pin* const pin = pin_of(line, server);
        return pin != nullptr && pin->fingerprint == fingerprint;
    });
    return found == lines.end() ? nullptr : &*found;
}

/// The same pin once more adds nothing, but that it has been secure.
bool is_news(std::vector<Line>& lines, const Pin& pin)
{
    Line* const line = find_line(lines, pin.server, pin.fingerprint);
    return line == nullptr || !std::get<Pin>(line->meaning).has_been_secure;
}

std::string home_directory()
{
    const char* const home = std::getenv("HOME");
    if (home != nullptr && *home == '/')
        return home;
    std::array<char, 16384> buffer{};
    struct passwd entry { };
    struct passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return found->pw_dir;
    return {};
}

} // namespace

Result<std::string> PinStore::default_path()
{
    if (::geteuid() == 0)
        return "/var/lib/safetp/known_servers";
    const char* const configured = std::getenv("XDG_CONFIG_HOME");
    if (configured != nullptr && *configured == '/') // others are to be ignored (XDG Base Directory Specification)
        return std::string(configured) + "/safetp/known_servers";
    const std::string home = home_directory();
    if (home.empty())
        return fail(ErrorCode::bad_file, 0, "no home directory to keep the known servers in: name a file with --pins");
    return home + "/.config/safetp/known_servers";
}

PinStore::PinStore(std::string path, std::chrono::milliseconds lock_timeout)
    : path_(std::move(path))
    , lock_timeout_(lock_timeout)
{
}

Result<KnownServer> PinStore::find(const ServerName& server) const
{
    auto lines = read_lines(path_);
    if (!lines)
        return std::unexpected(lines.error());
    return look_up(*lines, server, path_);
}

Result<PinStore::Listing> PinStore::list() const
{
    const auto lines = read_lines(path_);
    if (!lines)
        return std::unexpected(lines.error());
    Listing listing;
    for (std::size_t i = 0; i < lines->size(); ++i) {
        const PinLine& meaning = (*lines)[i].meaning;
        if (const Pin* pin = std::get_if<Pin>(&meaning))
            listing.pins.push_back(*pin);
        if (const BadLine* bad = std::get_if<BadLine>(&meaning))
            listing.complaints.push_back(place(path_, i) + ": this line " + bad->complaint);
    }
    return listing;
}

Result<KnownServer> PinStore::remember(const Pin& pin)
{
    const auto lock = lock_pin_file(path_, lock_timeout_);
    if (!lock)
        return std::unexpected(lock.error());
    auto lines = read_lines(path_);
    if (!lines)
        return std::unexpected(lines.error());
    KnownServer known = look_up(*lines, pin.server, path_);
    if (!known.pins.empty() || !known.unreadable_line.empty() || !known.nameless_line.empty())
        return known;
    append(*lines, pin);
    if (const auto written = write_lines(path_, *lines); !written)
        return std::unexpected(written.error());
    return look_up(*lines, pin.server, path_);
}

Result<bool> PinStore::add(const Pin& pin)
{
    const auto lock = lock_pin_file(path_, lock_timeout_);
    if (!lock)
        return std::unexpected(lock.error());
    auto lines = read_lines(path_);
    if (!lines)
        return std::unexpected(lines.error());
    if (find_line(*lines, pin.server, pin.fingerprint) != nullptr)
        return false;
    append(*lines, pin);
    if (const auto written = write_lines(path_, *lines); !written)
        return std::unexpected(written.error());
    return true;
}

Result<void> PinStore::note_secure(const Pin& pin)
{
    auto before = read_lines(path_);
    if (!before)
        return std::unexpected(before.error());
    if (!is_news(*before, pin))
        return {};
    const auto lock = lock_pin_file(path_, lock_timeout_);
    if (!lock)
        return std::unexpected(lock.error());
    auto lines = read_lines(path_);
    if (!lines)
        return std::unexpected(lines.error());
    Pin noted = pin;
    noted.has_been_secure = true;
    Line* const line = find_line(*lines, pin.server, pin.fingerprint);
    if (line == nullptr) {
        append(*lines, noted);
    } else {
        noted = std::get<Pin>(line->meaning);
        noted.has_been_secure = true;
        *line = {.text = format_pin_line(noted), .meaning = noted};
    }
    return write_lines(path_, *lines);
}

Result<std::size_t> PinStore::remove(const ServerName& server, std::string_view fingerprint)
{
    const auto lock = lock_pin_file(path_, lock_timeout_);
    if (!lock)
        return std::unexpected(lock.error());
    auto lines = read_lines(path_);
    if (!lines)
        return std::unexpected(lines.error());
    const std::size_t count = std::erase_if(*lines, [&](Line& line) {
        const Pin* const pin = pin_of(line, server);
        const auto* const bad = std::get_if<BadLine>(&line.meaning);
        if (fingerprint.empty() && bad != nullptr)
            return bad->server == server;
        return pin != nullptr && (fingerprint.empty() || pin->fingerprint == fingerprint);
    });
    if (count == 0)
        return count;
    if (const auto written = write_lines(path_, *lines); !written)
        return std::unexpected(written.error());
    return count;
}

} // namespace safetp::client
