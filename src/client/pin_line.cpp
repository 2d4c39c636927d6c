#include "client/pin_line.h"

#include "base/log.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace safetp::client {

namespace {

constexpr std::size_t kFields = 6;
constexpr std::size_t kSha256Base64 = 43; ///< 32 bytes without padding
constexpr std::array kHows{Pin::How::first_use, Pin::How::by_hand, Pin::How::config, Pin::How::authority};

std::vector<std::string_view> split(std::string_view line)
{
    constexpr std::string_view kBlanks = " \t\r";
    std::vector<std::string_view> words;
    for (std::size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
        words.push_back(line.substr(at, end - at));
        at = line.find_first_not_of(kBlanks, end);
    }
    return words;
}

std::optional<Seconds> parse_time(std::string_view text)
{
    std::tm parts{};
    const std::string copy(text);
    const char* const end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0')
        return std::nullopt;
    return Seconds(std::chrono::seconds(::timegm(&parts)));
}

std::optional<Pin::How> parse_how(std::string_view text)
{
    const auto* const found = std::ranges::find(kHows, text, [](Pin::How how) { return to_text(how); });
    return found == kHows.end() ? std::nullopt : std::optional(*found);
}

/// Empty: understood.
std::string understand(const std::vector<std::string_view>& words, Pin& pin)
{
    if (words.size() != kFields)
        return fmt::format("has {} words instead of {}", words.size(), kFields);
    const auto fingerprint = parse_fingerprint(words[1]);
    if (!fingerprint && words[1] != "-")
        return "its key is neither SHA256:... nor -";
    const auto first_seen = parse_time(words[2]);
    const auto how = parse_how(words[3]);
    const auto not_after = parse_time(words[4]);
    if (!first_seen || (!not_after && words[4] != "-"))
        return "has a time that is not written like 2026-11-23T21:40:00Z";
    if (!how)
        return "does not say how the key came here: first-use, by-hand, config or authority";
    if (words[5] != "secure" && words[5] != "not-yet")
        return "its last word is neither secure nor not-yet";
    pin.fingerprint = fingerprint.value_or("");
    pin.first_seen = *first_seen;
    pin.how = *how;
    pin.not_after = not_after;
    pin.has_been_secure = words[5] == "secure";
    return {};
}

/// Almost any word could be a host's name; a line of ours goes on with a key. Without one the name may be cut, too.
bool looks_like_key(std::string_view word)
{
    return word == "-" || word.starts_with("SHA256:") || word.starts_with("sha256//");
}

bool is_base64(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

} // namespace

const std::string_view kPinFileHeader = "# Keys of FTP servers that safetp has met; `safetp pin` shows and changes them.\n"
                                        "# server:port key first-seen how certificate-until secure|not-yet\n";

std::optional<std::string> parse_fingerprint(std::string_view text)
{
    constexpr std::string_view kSsh = "SHA256:";
    constexpr std::string_view kCurl = "sha256//";
    if (!text.starts_with(kSsh) && !text.starts_with(kCurl))
        return std::nullopt;
    std::string_view digits = text.substr(text.starts_with(kSsh) ? kSsh.size() : kCurl.size());
    if (digits.size() == kSha256Base64 + 1 && digits.ends_with('='))
        digits.remove_suffix(1);
    // The last digit carries four bits: others than these would be a second spelling of a key.
    constexpr std::string_view kLast = "AEIMQUYcgkosw048";
    if (digits.size() != kSha256Base64 || !std::ranges::all_of(digits, is_base64) || !kLast.contains(digits.back()))
        return std::nullopt;
    return std::string(kSsh).append(digits);
}

std::string_view to_text(Pin::How how)
{
    switch (how) {
    case Pin::How::first_use: return "first-use";
    case Pin::How::by_hand: return "by-hand";
    case Pin::How::config: return "config";
    case Pin::How::authority: return "authority";
    }
    return "unknown";
}

std::string format_time(Seconds time) { return fmt::format("{:%FT%TZ}", fmt::gmtime(time)); }

PinLine parse_pin_line(std::string_view line)
{
    const std::vector<std::string_view> words = split(line);
    if (words.empty() || words[0].starts_with('#'))
        return CommentLine{};
    const auto server = ServerName::parse(words[0]);
    if (!server || words.size() < 2 || !looks_like_key(words[1]))
        return BadLine{.server = std::nullopt,
            .complaint
            = "does not begin with a server and its key, so no unknown server is accepted: " + log::escape(words[0], 64)};
    Pin pin{.server = *server};
    if (std::string complaint = understand(words, pin); !complaint.empty())
        return BadLine{.server = *server, .complaint = std::move(complaint)};
    return pin;
}

std::string format_pin_line(const Pin& pin)
{
    return fmt::format("{} {} {} {} {} {}", pin.server.to_string(), pin.fingerprint.empty() ? "-" : pin.fingerprint,
        format_time(pin.first_seen), to_text(pin.how), pin.not_after ? format_time(*pin.not_after) : "-",
        pin.has_been_secure ? "secure" : "not-yet");
}

} // namespace safetp::client
