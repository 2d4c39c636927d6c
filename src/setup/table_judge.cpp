#include "setup/table_judge.h"

#include "access/evaluation.h"
#include "base/ip_address.h"
#include "setup/text.h"
#include "wrapper/disk_file.h"
#include "wrapper/names.h"

#include <cerrno>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <memory>

namespace safetp::setup {

namespace {

using access::FileText;
using access::Reading;

constexpr std::chrono::seconds kLookUpTime{2};
constexpr const char* kStrangerName = "stranger.example.net"; // RFC 2606: in no table but as a part of a pattern
constexpr const char* kStrangerUser = "stranger";

/// A table as the root has it, or as it is planned.
FileText read_table(const Root& root, const std::string& path, const std::optional<std::string>& planned)
{
    if (planned)
        return {FileText::State::text, *planned, 0};
    if (root.is_live())
        return wrapper::read_file(path);
    auto text = root.read(path);
    if (!text)
        return {FileText::State::unreadable, {}, text.error().os_error};
    return *text ? FileText{FileText::State::text, std::move(**text), 0} : FileText{};
}

access::TableFiles read_files(const Root& root, const TableTexts& texts, bool is_ours)
{
    const Reading reading = is_ours ? texts.our_reading : Reading::strict;
    const std::string& allow_path = is_ours ? texts.our_allow_path : texts.allow_path;
    const std::string& deny_path = is_ours ? texts.our_deny_path : texts.deny_path;
    const std::optional<std::string> unplanned;
    access::TableFiles files{allow_path, deny_path,
        read_table(root, allow_path, allow_path == texts.allow_path ? texts.new_allow : unplanned),
        read_table(root, deny_path, deny_path == texts.deny_path ? texts.new_deny : unplanned), {}};
    std::vector<std::string> wanted;
    for (const FileText* table : {&files.allow, &files.deny}) {
        for (std::string& path : access::files_named_by_table(table->text, reading, {}))
            wanted.push_back(std::move(path));
    }
    while (!wanted.empty()) {
        const std::string path = std::move(wanted.back());
        wanted.pop_back();
        if (files.others.contains(path))
            continue;
        const FileText& file = files.others[path] = read_table(root, path, std::nullopt);
        for (std::string& nested : access::files_named_by_pattern_file(file.text))
            wanted.push_back(std::move(nested));
    }
    return files;
}

/// One reading of the tables, compiled.
struct Image {
    std::vector<std::byte> bytes;
    std::string allow_path, deny_path;
};

std::string describe_verdict(const access::Verdict& verdict, const Image& image, const std::vector<access::Report>& reports)
{
    const auto trouble = [&]() -> std::string {
        for (const access::Report& report : reports) {
            if (report.level == "err" || report.level == "warning")
                return "; " + printable(report.text);
        }
        return {};
    };
    if (!verdict.matched)
        return "no rule" + trouble();
    const bool is_allow = verdict.matched->table == access::TableName::allow;
    return fmt::format("{}:{}{}", base_name(is_allow ? image.allow_path : image.deny_path), verdict.matched->line,
        verdict.outcome == access::Outcome::error ? trouble() : std::string());
}

/// The names of this machine's own addresses; each is asked for once.
class OwnNames {
public:
    std::string find(const std::string& text)
    {
        const auto address = IpAddress::parse(text);
        if (!address)
            return access::kUnknown;
        const auto [known, is_new] = names_.try_emplace(text);
        if (is_new)
            known->second = wrapper::look_up_name_within(*address, kLookUpTime).value;
        return known->second;
    }

private:
    std::map<std::string, std::string> names_;
};

/// Answers what the evaluation asks. A stranger's names are asked of nobody: it is one who has none, or one who has some.
access::Step answer(
    access::Evaluation& evaluation, const access::Step& step, const Caller& caller, OwnNames& names, Judgement& judgement)
{
    if (const auto* const lookup = std::get_if<access::LookUp>(&step)) {
        if (lookup->fact == access::Fact::server_name && caller.may_look_up)
            return evaluation.learn(names.find(caller.server));
        if (lookup->fact == access::Fact::client_name && caller.may_look_up && caller.is_this_machine)
            return evaluation.learn(names.find(caller.client));
        judgement.asked_name = true;
        if (!caller.is_named || lookup->fact == access::Fact::server_name)
            return evaluation.learn(access::kUnknown);
        return evaluation.learn(lookup->fact == access::Fact::client_user ? kStrangerUser : kStrangerName);
    }
    if (std::holds_alternative<access::AskNetgroup>(step)) {
        judgement.asked_name = true;
        return evaluation.answer_netgroup(false);
    }
    if (std::holds_alternative<access::RunCommand>(step)) {
        judgement.ran_command = true;
        return evaluation.answer_command(0);
    }
    return evaluation.answer_effect(0);
}

Judgement judge_with(const Image& image, const Caller& caller, OwnNames& names)
{
    Judgement judgement;
    const auto tables = access::Tables::open(image.bytes);
    if (!tables) {
        judgement.why = describe(tables.error());
        return judgement;
    }
    access::Request request;
    request.daemon = caller.daemon;
    request.client_address = caller.client;
    request.server_address = caller.server;
    request.client_port = 40000; // any
    request.server_port = caller.port;
    access::Settings settings;
    settings.resident = false;
    settings.dry_run = true;
    access::Evaluation evaluation(*tables, request, settings);
    access::Step step = evaluation.start();
    while (!std::holds_alternative<access::Verdict>(step))
        step = answer(evaluation, step, caller, names, judgement);
    const access::Verdict& verdict = std::get<access::Verdict>(step);
    // A twist runs a program instead of the daemon: not the daemon itself, so nobody reaches that.
    judgement.is_granted = verdict.outcome == access::Outcome::granted;
    judgement.why = describe_verdict(verdict, image, evaluation.take_reports());
    return judgement;
}

} // namespace

Judge make_judge(const Root& root, const TableTexts& texts)
{
    const auto make = [&](bool is_ours) {
        const access::TableFiles files = read_files(root, texts, is_ours);
        return Image{access::compile(files, is_ours ? texts.our_reading : Reading::strict), files.allow_path, files.deny_path};
    };
    return [library = make(false), ours = make(true), names = std::make_shared<OwnNames>()](const Caller& caller) {
        return judge_with(caller.is_by_our_wrapper ? ours : library, caller, *names);
    };
}

} // namespace safetp::setup
