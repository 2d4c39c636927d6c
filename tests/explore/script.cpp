#include "script.h"

#include "alphabet.h"

#include <string_view>
#include <variant>

namespace safetp::explore {

namespace {

struct Words {
    static std::string of(ftp::Direction direction) { return direction == ftp::Direction::upload ? "upload" : "download"; }

    std::string operator()(const ftp::StartTls&) const { return "StartTls"; }
    std::string operator()(const ftp::EndTls&) const { return "EndTls"; }
    std::string operator()(const ftp::AskForAuth& action) const { return "AskForAuth " + action.mechanism; }
    std::string operator()(const ftp::ExpectTransfer&) const { return "ExpectTransfer"; }
    std::string operator()(const ftp::OpenPassive& open) const
    {
        return open.is_protected ? "OpenPassive" : "OpenPassive clear";
    }
    std::string operator()(const ftp::UseActive& action) const { return "UseActive " + action.client.to_string(); }
    std::string operator()(const ftp::DialServer& action) const { return "DialServer " + std::to_string(action.port); }
    std::string operator()(const ftp::ListenForServer&) const { return "ListenForServer"; }
    std::string operator()(const ftp::StartTransfer& action) const
    {
        return "StartTransfer " + of(action.direction) + (action.is_protected ? " protected" : " clear");
    }
    std::string operator()(const ftp::FinishDownload&) const { return "FinishDownload"; }
    std::string operator()(const ftp::AwaitEnd&) const { return "AwaitEnd"; }
    std::string operator()(const ftp::EndData&) const { return "EndData"; }
    std::string operator()(const ftp::AbortData&) const { return "AbortData"; }
    std::string operator()(const ftp::AbortClientData&) const { return "AbortClientData"; }
    std::string operator()(const ftp::CloseData&) const { return "CloseData"; }
    std::string operator()(const ftp::LoggedIn& action) const { return "LoggedIn " + action.user; }
    std::string operator()(const ftp::LoginFailed& action) const { return "LoginFailed " + action.user; }
    std::string operator()(const ftp::TransferEnded& action) const
    {
        return "TransferEnded " + of(action.direction) + " " + action.command + " " + action.argument
            + (action.is_ascii ? "" : " binary") + (action.is_complete ? " complete" : " cut");
    }
    std::string operator()(const ftp::Note& action) const { return "Note " + std::string(action.event); }
    std::string operator()(const ftp::End& action) const { return "End " + std::string(to_string(action.reason)); }
};

std::string lines(std::string_view prefix, std::string_view text)
{
    std::string result;
    while (!text.empty()) {
        const auto end = std::min(text.find("\r\n"), text.size());
        ((result += "    ") += prefix) += escaped(text.substr(0, end)) + "\n";
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return result;
}

} // namespace

std::string to_script(const ftp::Output& output)
{
    std::string text = lines("S< ", output.to_server) + lines("C< ", output.to_client);
    for (const auto& action : output.actions)
        text += "    action " + escaped(std::visit(Words{}, action)) + "\n";
    return text;
}

} // namespace safetp::explore
