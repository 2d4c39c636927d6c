#include "ftp/path_tracker.h"

#include "ftp/command.h"
#include "ftp/text.h"

#include <algorithm>
#include <utility>

namespace safetp::ftp {

namespace {

std::string joined(std::string_view directory, std::string_view name)
{
    std::string path(directory);
    if (!path.ends_with('/'))
        path += '/';
    return path += name;
}

constexpr std::size_t kCodeBytes = 4; // "150 "

} // namespace

void PathTracker::on_sent(std::string_view lines)
{
    const auto command = parse_command(lines.substr(0, lines.find('\r')));
    if (lines.empty() || !command)
        return;
    const std::string& name = command->name;
    asked_ = Asked::other;
    if (command->verb == Verb::user)
        asked_ = Asked::user;
    else if (command->verb == Verb::stou)
        asked_ = Asked::stou;
    else if (name == "PWD" || name == "XPWD")
        asked_ = Asked::pwd;
    else if (name == "CWD" || name == "XCWD" || name == "CDUP" || name == "XCUP")
        asked_ = Asked::cwd;
    if (asked_ == Asked::cwd)
        argument_ = name.ends_with("CWD") ? command->argument : "..";
    if (asked_ == Asked::stou)
        chosen_.clear();
}

void PathTracker::on_server_line(std::string_view line)
{
    const auto reply = replies_.read(line);
    if (!reply)
        return;
    if (asked_ == Asked::stou)
        take_named(reply->text); // Pure-FTPd says it in the first line of several
    if (!reply->is_last || is_preliminary(reply->code))
        return;
    const Asked asked = std::exchange(asked_, Asked::other);
    if (asked == Asked::user) // another login begins elsewhere
        directory_.clear();
    if (asked == Asked::cwd && is_positive(reply->code))
        go_to(argument_);
    if (asked == Asked::pwd && reply->code == 257) {
        directory_ = path_in_257(reply->text);
        is_servers_own_ = true;
    }
}

void PathTracker::take_named(std::string_view reply)
{
    if (auto name = name_in_stou_reply(reply); !name.empty())
        chosen_ = std::move(name);
}

void PathTracker::go_to(std::string_view argument)
{
    if (argument == "." || argument == "./")
        return;
    if (argument == ".." || argument == "../")
        return go_up();
    const bool is_absolute = argument.starts_with('/');
    const bool is_known = !argument.empty() && !argument.starts_with('~') && argument.find("..") == std::string_view::npos
        && (is_absolute || !directory_.empty());
    if (!is_known)
        return directory_.clear();
    directory_ = is_absolute ? std::string(argument) : joined(directory_, argument);
    while (directory_.size() > 1 && directory_.ends_with('/'))
        directory_.pop_back();
    is_servers_own_ = false;
}

void PathTracker::go_up()
{
    const auto slash = directory_.rfind('/');
    if (!is_servers_own_ || slash == std::string::npos)
        return directory_.clear();
    directory_.resize(slash == 0 ? 1 : slash);
}

std::string PathTracker::path_of(std::string_view verb, std::string_view argument) const
{
    const std::string_view name = verb == "STOU" && !chosen_.empty() ? std::string_view(chosen_) : argument;
    const bool is_whole = name.empty() || name.starts_with('/') || name.starts_with('~');
    return is_whole || directory_.empty() ? std::string(name) : joined(directory_, name);
}

std::string path_in_257(std::string_view line)
{
    const auto begin = line.find('"');
    std::string path;
    for (auto at = begin == std::string_view::npos ? line.size() : begin + 1; at < line.size(); ++at) {
        if (line[at] == '"' && line.substr(at + 1, 1) != "\"")
            return path.starts_with('/') ? path : std::string();
        if (line[at] == '"')
            ++at;
        path += line[at];
    }
    return {};
}

std::string name_in_stou_reply(std::string_view line)
{
    constexpr std::string_view kFile = "FILE:";
    constexpr std::string_view kUnique = "(unique file name:";
    if (const auto at = line.find(kUnique); at != std::string_view::npos) {
        line.remove_prefix(at + kUnique.size());
        return std::string(line.substr(0, line.rfind(')')));
    }
    line.remove_prefix(std::min(kCodeBytes, line.size()));
    if (!equals_ignoring_case(line.substr(0, kFile.size()), kFile))
        return {};
    line.remove_prefix(kFile.size());
    return std::string(line.substr(line.starts_with(' ') ? 1 : 0));
}

} // namespace safetp::ftp
