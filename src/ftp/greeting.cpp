#include "ftp/greeting.h"

#include "base/ip_address.h"
#include "ftp/text.h"

#include <algorithm>
#include <array>

namespace safetp::ftp {

namespace {

constexpr std::size_t kMaxText = 16u * 1024; // what comes behind it is no longer looked at
constexpr std::string_view kBetweenWords = " \t\n()[]<>{},;|=\"'";

constexpr std::array<std::string_view, 21> kNamesOfTime{"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY",
    "SUNDAY", "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER",
    "DECEMBER", "AM", "PM"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_of_time(std::string_view word)
{
    const std::string upper = upper_case(word);
    return std::ranges::any_of(kNamesOfTime, [&](std::string_view name) {
        return name == upper || (upper.size() >= 3 && name.starts_with(upper)); // "Mon", "Sept"
    });
}

/// 4711, 00:32, 12:32:01.5, 2026-11-30, 30/11/2026, 02:11PM; but not 3.0.3, which is a version.
bool is_number_or_time(std::string_view word)
{
    if (word.empty() || !is_digit(word.front()))
        return false;
    if (word.find(':') != std::string_view::npos)
        return true;
    return std::ranges::all_of(word, [](char c) { return is_digit(c) || c == '-' || c == '/'; });
}

bool changes_from_session_to_session(std::string_view word)
{
    return is_number_or_time(word) || is_name_of_time(word) || IpAddress::parse(word).has_value();
}

/// FNV-1a: it tells greetings apart that nobody has made to be alike.
struct Hash {
    std::uint64_t value = 0xcbf29ce484222325u;
    void add(std::string_view bytes)
    {
        for (const char c : bytes)
            value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
};

} // namespace

void Greeting::on_line(std::string_view line)
{
    if (is_complete())
        return;
    const auto reply = reader_.read(line);
    if (!reply) {
        code_ = -1; // no FTP server
        return;
    }
    if (is_preliminary(reply->code))
        return;
    if (text_.size() < kMaxText)
        text_ += reply->text + "\n";
    if (reply->is_last)
        code_ = reply->code;
}

std::uint64_t Greeting::fingerprint() const
{
    Hash hash;
    for (std::size_t begin = text_.find_first_not_of(kBetweenWords); begin != std::string::npos;) {
        const std::size_t end = std::min(text_.find_first_of(kBetweenWords, begin), text_.size());
        std::string_view word = std::string_view(text_).substr(begin, end - begin);
        while (word.size() > 1 && (word.back() == '.' || word.back() == ':'))
            word.remove_suffix(1);
        hash.add(changes_from_session_to_session(word) ? "#" : word);
        hash.add(" ");
        begin = text_.find_first_not_of(kBetweenWords, end);
    }
    return hash.value == 0 ? 1 : hash.value;
}

} // namespace safetp::ftp
