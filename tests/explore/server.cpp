#include "server.h"

#include <algorithm>
#include <utility>

namespace safetp::explore {

namespace {

using enum Asked;

constexpr auto kReplies = std::to_array<ServerReply>({
    {greeting, "220 <greeting>", ServerReply::any, true},
    {greeting, "120 <greeting>"},
    {greeting, "421 <greeting>"},
    {greeting, "530 <greeting>"},
    {user, "331 <user>"},
    {user, "230 <user>"},
    {user, "332 <user>"},
    {user, "530 <user>"},
    {user, "421 <user>"},
    {pass, "230 <pass>", ServerReply::user_given | ServerReply::done, true},
    {pass, "332 <pass>", ServerReply::user_given},
    {pass, "530 <pass>", ServerReply::user_given | ServerReply::none},
    {pass, "503 <pass>", ServerReply::none | ServerReply::done},
    {pass, "421 <pass>", ServerReply::user_given},
    {acct, "230 <acct>", ServerReply::user_given},
    {acct, "202 <acct>", ServerReply::done},
    {acct, "530 <acct>", ServerReply::user_given | ServerReply::none},
    {acct, "503 <acct>", ServerReply::none | ServerReply::done},
    {other, "257 <other> (|||35079|)", ServerReply::any, true},
    {other, "120 <other>"},
    {other, "350 <other>"},
    {other, "550 <other>"},
    {other, "421 <other>"},
    {noop, "200 <noop>"},
    {noop, "421 <noop>"},
    {quit, "221 <quit>"},
    {quit, "500 <quit>"},
    {feat, "211 <feat>", ServerReply::any, true},
    {feat, "500 <feat>"},
    {type, "200 <type>"},
    {type, "504 <type>"},
    {epsv, "229 <epsv> (|||50001|)", ServerReply::any, true},
    {epsv, "229 <epsv> (|||21|)"},
    {epsv, "200 <epsv>"},
    {epsv, "350 <epsv>"},
    {epsv, "522 <epsv>"},
    {epsv, "530 <epsv>"},
    {epsv, "425 <epsv>"},
    {epsv, "421 <epsv>"},
    {pasv, "227 <pasv> (10,0,0,1,195,82)"},
    {pasv, "227 <pasv> (10,0,0,1,0,21)"},
    {pasv, "502 <pasv>"},
    {pasv, "425 <pasv>"},
    {pasv, "421 <pasv>"},
    {port, "200 <port>"},
    {port, "500 <port>"},
    {port, "425 <port>"},
    {port, "421 <port>"},
    {transfer, "150 <transfer>", ServerReply::done, true},
    {transfer, "226 <transfer>", ServerReply::done, true},
    {transfer, "350 <transfer>"},
    {transfer, "426 <transfer>"},
    {transfer, "550 <transfer>"},
    {transfer, "421 <transfer>"},
});

constexpr std::array<std::string_view, kAskedKinds> kTags{"<greeting>", "<user>", "<pass>", "<acct>", "<other>", "<noop>",
    "<quit>", "<feat>", "<type>", "<epsv>", "<pasv>", "<port>", "<transfer>"};

constexpr auto kVerbs = std::to_array<std::pair<std::string_view, Asked>>(
    {{"USER", user}, {"PASS", pass}, {"ACCT", acct}, {"NOOP", noop}, {"QUIT", quit}, {"FEAT", feat}, {"TYPE", type},
        {"EPSV", epsv}, {"PASV", pasv}, {"PORT", port}, {"EPRT", port}, {"RETR", transfer}, {"STOR", transfer}});

constexpr std::array<std::string_view, 4> kUsers{"", "anna", "anonymous", "mallory"};

} // namespace

std::string_view tag_of(Asked asked) { return kTags.at(static_cast<std::size_t>(asked)); }

std::string_view name_of(User user) { return kUsers.at(static_cast<std::size_t>(user)); }

std::span<const ServerReply> server_replies() { return kReplies; }

std::vector<std::string> read_by_server(std::string_view text, std::size_t line_bytes)
{
    std::vector<std::string> commands;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        const auto piece = text.substr(0, std::min(end, line_bytes));
        text.remove_prefix(piece.size());
        commands.emplace_back(piece.substr(0, piece.find_last_not_of("\r\n") + 1));
    }
    return commands;
}

Question understood_by_server(std::string_view command)
{
    const auto space = command.find(' ');
    const auto verb = std::ranges::find(kVerbs, command.substr(0, space), &std::pair<std::string_view, Asked>::first);
    Question question{verb == kVerbs.end() ? other : verb->second};
    if (question.asked == user) {
        const auto name = std::ranges::find(kUsers, space == command.npos ? command.substr(0, 0) : command.substr(space + 1));
        question.user = name == kUsers.end() ? User::nobody : static_cast<User>(name - kUsers.begin());
    }
    return question;
}

ServerLogin after_reply(const ServerLogin& before, const Question& question, int code)
{
    using Step = ServerLogin::Step;
    const bool is_refused = code >= 400;
    if (question.asked == user && !is_refused) // a new login: whoever was logged in is not any more
        return {code < 300 ? Step::done : Step::user_given, question.user};
    const bool is_about_login = question.asked == pass || question.asked == acct;
    if (!is_about_login || (is_refused && code != 530))
        return before; // PASS where none is due is answered 503, and changes nothing
    if (is_refused)
        return {};
    return {code < 300 ? Step::done : before.step, before.user};
}

} // namespace safetp::explore
