#include "ftp/first_words.h"

#include "ftp/text.h"

#include <algorithm>
#include <array>

namespace safetp::ftp {

namespace {

constexpr std::size_t kMarkBytes = 4; // "220 "
constexpr std::size_t kLongestLine = 512; // of what tells FTP from the rest

/// What FTP clients begin with, down to those that nobody but them says.
constexpr std::array<std::string_view, 35> kFtpWords{"USER", "PASS", "ACCT", "AUTH", "FEAT", "OPTS", "CLNT", "HOST", "SYST",
    "PBSZ", "PROT", "CCC", "ADAT", "LANG", "SITE", "CSID", "PWD", "XPWD", "CWD", "CDUP", "TYPE", "STRU", "PASV", "EPSV", "PORT",
    "EPRT", "ALLO", "REST", "RETR", "STOR", "APPE", "NLST", "MLSD", "MLST", "REIN"};

/// Theirs and of other protocols that greet with a number: they say nothing yet.
constexpr std::array<std::string_view, 7> kSharedWords{"", "NOOP", "HELP", "QUIT", "MODE", "LIST", "STAT"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_like_reply(std::string_view begin)
{
    for (std::size_t i = 0; i < begin.size() && i < kMarkBytes; ++i) {
        const bool fits = i < 3 ? is_digit(begin[i]) : std::string_view(" -\r\n").contains(begin[i]);
        if (!fits)
            return false;
    }
    return true;
}

std::string_view word_of(std::string_view line) { return line.substr(0, line.find_first_of(" \t\r\n")); }

/// A word that has not come whole yet. Whatever can be none is not waited for, since its sender may be waiting for an answer.
bool may_go_on(std::string_view word)
{
    const auto begins_so = [word](std::string_view known) { return known.starts_with(word); };
    return std::ranges::any_of(kFtpWords, begins_so) || std::ranges::any_of(kSharedWords, begins_so);
}

/// USER and one name: IRC's USER has more words behind it.
FirstWords::Verdict judge_ungreeted(std::string_view bytes)
{
    constexpr std::string_view kUser = "USER ";
    const std::size_t known = std::min(bytes.size(), kUser.size());
    if (!equals_ignoring_case(bytes.substr(0, known), kUser.substr(0, known)))
        return FirstWords::Verdict::other;
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos)
        return bytes.size() < kLongestLine ? FirstWords::Verdict::open : FirstWords::Verdict::other;
    std::string_view name = bytes.substr(known, end - known);
    if (name.ends_with('\r'))
        name.remove_suffix(1);
    return name.contains(' ') ? FirstWords::Verdict::other : FirstWords::Verdict::ftp;
}

} // namespace

FirstWords::Verdict FirstWords::on_server(std::string_view bytes)
{
    if (greeting_.size() < kMarkBytes)
        greeting_ += bytes.substr(0, kMarkBytes - greeting_.size());
    return is_like_reply(greeting_) ? Verdict::open : Verdict::other;
}

FirstWords::Decision FirstWords::on_client(std::string_view bytes) const
{
    if (bytes.empty())
        return {};
    if (greeting_.empty())
        return {.verdict = judge_ungreeted(bytes)};
    Decision decision;
    while (!bytes.empty()) {
        const std::string known = upper_case(word_of(bytes));
        if (known.size() == bytes.size() && may_go_on(known))
            break;
        if (contains(kFtpWords, known))
            return {.verdict = Verdict::ftp};
        const std::size_t end = bytes.find('\n');
        const bool is_endless = end == std::string_view::npos && bytes.size() >= kLongestLine;
        if (!contains(kSharedWords, known) || is_endless)
            return {.verdict = Verdict::other};
        if (end == std::string_view::npos)
            break;
        decision.harmless += end + 1;
        bytes.remove_prefix(end + 1);
    }
    return decision;
}

} // namespace safetp::ftp
