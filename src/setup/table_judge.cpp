#include "setup/table_judge.h"

#include "access/evaluation.h"
#include "base/ip_address.h"
#include "setup/text.h"
#include "wrapper/disk_file.h"
#include "wrapper/names.h"

#include <cerrno>
#include <chrono>
#include <fmt/format.h>

namespace safetp::setup {

namespace {

using access::FileText;
using access::Reading;

constexpr std::chrono::seconds kLookUpTime{2};

/// A table as the root has it, or as it is planned.
FileText read_table(const Root& root, const std::string& path, const std::optional<std::string>& planned)
{
    if (planned)
        return {FileText::State::text, *planned, 0};
    const auto real = root.resolve(path);
    return real ? wrapper::read_file(*real) : FileText{FileText::State::unreadable, {}, ELOOP};
}

access::TableFiles read_files(const Root& root, const TableTexts& texts, Reading reading)
{
    const bool is_ours = reading == Reading::safe;
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

/// Answers what the evaluation asks without asking anybody: a stranger may have any name, and has none here.
access::Step answer(access::Evaluation& evaluation, const access::Step& step, const Caller& caller, Judgement& judgement)
{
    if (const auto* const lookup = std::get_if<access::LookUp>(&step)) {
        const auto address = IpAddress::parse(lookup->fact == access::Fact::server_name ? caller.server : caller.client);
        if (caller.may_look_up && address && lookup->fact != access::Fact::client_user)
            return evaluation.learn(wrapper::look_up_name_within(*address, kLookUpTime).value);
        judgement.asked_name = true;
        return evaluation.learn(access::kUnknown);
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

Judgement judge_with(const Image& image, const Caller& caller)
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
        step = answer(evaluation, step, caller, judgement);
    const access::Verdict& verdict = std::get<access::Verdict>(step);
    // A twist runs a program instead of the daemon: not the daemon itself, so nobody reaches that.
    judgement.is_granted = verdict.outcome == access::Outcome::granted;
    judgement.why = describe_verdict(verdict, image, evaluation.take_reports());
    return judgement;
}

} // namespace

Judge make_judge(const Root& root, const TableTexts& texts)
{
    const auto make = [&](Reading reading) {
        const access::TableFiles files = read_files(root, texts, reading);
        return Image{access::compile(files, reading), files.allow_path, files.deny_path};
    };
    return [strict = make(Reading::strict), safe = make(Reading::safe)](
               const Caller& caller) { return judge_with(caller.reading == Reading::strict ? strict : safe, caller); };
}

} // namespace safetp::setup
