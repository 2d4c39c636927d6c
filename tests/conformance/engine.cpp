#include "engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace safetp::conformance {

namespace {

constexpr unsigned kDefaultIdentSeconds = 10;
constexpr int kProcess = 4711;
constexpr const char* kSleepBeforeExit = "5";

access::FileText table_file(TableKind kind, const std::string& text)
{
    using State = access::FileText::State;
    switch (kind) {
    case TableKind::file: return {State::text, text, 0};
    case TableKind::directory: return {State::directory, {}, 0};
    case TableKind::symlink_loop: return {State::unreadable, {}, ELOOP};
    case TableKind::missing:
    case TableKind::dangling: break;
    }
    return {State::missing, {}, 0};
}

/// Adds the named files that are not there yet, and those that they name.
void add_files(access::TableFiles& files, const std::vector<std::string>& names, const Machine& machine)
{
    for (const std::string& name : names) {
        if (files.others.contains(name))
            continue;
        const access::FileText& added = files.others[name] = machine.read(name);
        add_files(files, access::files_named_by_pattern_file(added.text), machine);
    }
}

access::Request access_request(const Question& question)
{
    access::Request request;
    request.daemon = question.daemon;
    request.client_address = question.client_addr;
    request.process_id = kProcess;
    if (question.hosts_ctl) {
        request.has_endpoints = false;
        request.client_name = question.client_name;
        request.client_user = question.client_user;
        return request;
    }
    request.server_address = question.server_addr;
    if (question.client_port >= 0)
        request.client_port = static_cast<std::uint16_t>(question.client_port);
    if (question.server_port >= 0)
        request.server_port = static_cast<std::uint16_t>(question.server_port);
    return request;
}

/// hosts_ctl(3) has none.
bool needs_descriptor(const access::Effect& effect)
{
    return std::holds_alternative<access::ApplyKeepalive>(effect) || std::holds_alternative<access::ApplyLinger>(effect)
        || std::holds_alternative<access::SendBanner>(effect);
}

/// What one evaluation writes down while it runs.
struct Recorder {
    const Question& question;
    const Machine& machine;
    Answer& answer;

    void event(const std::string& text) { answer.events.push_back(text); }

    access::Step answer_lookup(access::Evaluation& evaluation, const access::LookUp& step)
    {
        static constexpr const char* kNames[] = {"client_name", "client_user", "server_name"};
        const std::string* const values[] = {&question.client_name, &question.client_user, &question.server_name};
        const auto index = static_cast<std::size_t>(step.fact);
        answer.lookups.push_back(kNames[index]);
        event(std::string("lookup ") + kNames[index]);
        if (step.fact == access::Fact::client_user && step.seconds != 0 && step.seconds != kDefaultIdentSeconds)
            answer.effects["rfc931_timeout"] = std::to_string(step.seconds);
        if (step.fact == access::Fact::client_user)
            event(fmt::format("rfc931 {}", step.seconds ? step.seconds : kDefaultIdentSeconds));
        return evaluation.learn(*values[index]);
    }

    access::Step answer_command(access::Evaluation& evaluation, const access::RunCommand& step)
    {
        event((step.kind == access::CommandKind::spawn ? "spawn " : "aclexec ") + step.command);
        const CommandEnd end = machine.run(step);
        return evaluation.answer_command(end.exit_status, end.killed_by, end.process_id);
    }

    access::Step answer_netgroup(access::Evaluation& evaluation, const access::AskNetgroup& step)
    {
        event("netgroup " + step.group + " " + step.host);
        return evaluation.answer_netgroup(machine.netgroup(step.group, step.host));
    }

    access::Step answer_effect(access::Evaluation& evaluation, const access::Effect& effect)
    {
        const int os_error = question.hosts_ctl && needs_descriptor(effect) ? EBADF : machine.apply(effect);
        describe(effect, os_error);
        return evaluation.answer_effect(os_error);
    }

    void describe(const access::Effect& effect, int os_error)
    {
        std::string name, value;
        if (std::holds_alternative<access::ApplyKeepalive>(effect)) {
            event("keepalive");
            name = "keepalive", value = "true";
        } else if (const auto* linger = std::get_if<access::ApplyLinger>(&effect)) {
            event(fmt::format("linger {}{}", linger->seconds, linger->seconds == 0 ? " off" : ""));
            name = "linger", value = std::to_string(linger->seconds);
        } else if (const auto* umask = std::get_if<access::ApplyUmask>(&effect)) {
            name = "umask", value = fmt::format("{:03o}", umask->mask);
            event("umask " + value);
        } else if (const auto* nice = std::get_if<access::ApplyNice>(&effect)) {
            event(fmt::format("nice {}", nice->increment));
            name = "nice", value = std::to_string(std::max(-20, std::min(19, nice->increment)));
        } else if (const auto* variable = std::get_if<access::ApplySetenv>(&effect)) {
            if (os_error == 0)
                event("setenv " + variable->name + "=" + variable->value);
            name = variable->name == "TW_VAR" ? "env_TW_VAR" : "", value = variable->value;
        } else if (const auto* banner = std::get_if<access::SendBanner>(&effect)) {
            if (os_error == 0)
                answer.effects["sent_to_client"] += banner->text;
        } else {
            for (const std::string& line : machine.describe_user(effect))
                event(line);
        }
        if ((os_error == 0 || name == "nice") && !name.empty()) // nice(2) that ends below 0 did work
            answer.effects[name] = value;
    }

    void take_reports(access::Evaluation& evaluation)
    {
        for (const access::Report& report : evaluation.take_reports())
            answer.diag.push_back(report.level + ": " + report.text);
    }

    void conclude(const access::Verdict& verdict)
    {
        static constexpr const char* kOutcomes[] = {"granted", "denied", "error", "twisted", "exited"};
        answer.outcome = kOutcomes[static_cast<std::size_t>(verdict.outcome)];
        if (verdict.matched)
            answer.matched = (verdict.matched->table == access::TableName::allow ? "allow:" : "deny:")
                + std::to_string(verdict.matched->line);
        if (!verdict.severity.empty())
            answer.effects["severity"] = verdict.severity;
        if (verdict.outcome == access::Outcome::exited)
            answer.effects["sleep"] = kSleepBeforeExit;
        if (verdict.outcome == access::Outcome::twisted) {
            event("twist " + verdict.twist);
            const std::string sent = machine.twist(verdict.twist);
            if (!sent.empty())
                answer.effects["sent_to_client"] += sent;
        }
    }
};

} // namespace

Engine::Engine(const Scene& scene, access::Reading reading, Machine machine, const std::vector<std::string>& daemons)
    : machine_(std::move(machine))
    , reading_(reading)
{
    access::TableFiles files;
    files.allow_path = machine_.allow_path;
    files.deny_path = machine_.deny_path;
    files.allow = table_file(scene.allow_kind, scene.allow);
    files.deny = table_file(scene.deny_kind, scene.deny);
    for (const access::FileText* table : {&files.allow, &files.deny})
        add_files(files, access::files_named_by_table(table->text, reading, daemons), machine_);
    image_ = access::compile(files, reading);
}

Answer Engine::ask(const Question& question, access::LibraryState* state)
{
    const Result<access::Tables> tables = access::Tables::open(image_);
    if (!tables)
        throw std::runtime_error("a compiled image was refused: " + describe(tables.error()));
    Answer answer;
    Recorder recorder{question, machine_, answer};
    access::LibraryState fresh;
    access::LibraryState& used = state ? *state : fresh;
    access::Settings settings;
    settings.resident = question.resident;
    settings.twist_allowed = !question.resident;
    settings.state = &used;
    access::Evaluation evaluation(*tables, access_request(question), settings);
    for (access::Step step = evaluation.start();;) {
        recorder.take_reports(evaluation);
        if (const auto* verdict = std::get_if<access::Verdict>(&step)) {
            recorder.conclude(*verdict);
            if (reading_ == access::Reading::strict) // which keeps it; in the safe reading it ends with the question
                answer.effects.erase("rfc931_timeout");
            if (used.rfc931_seconds != kDefaultIdentSeconds)
                answer.effects["rfc931_timeout"] = std::to_string(used.rfc931_seconds);
            return answer;
        }
        if (const auto* lookup = std::get_if<access::LookUp>(&step))
            step = recorder.answer_lookup(evaluation, access::LookUp(*lookup));
        else if (const auto* netgroup = std::get_if<access::AskNetgroup>(&step))
            step = recorder.answer_netgroup(evaluation, access::AskNetgroup(*netgroup));
        else if (const auto* command = std::get_if<access::RunCommand>(&step))
            step = recorder.answer_command(evaluation, access::RunCommand(*command));
        else
            step = recorder.answer_effect(evaluation, access::Effect(std::get<access::Effect>(step)));
    }
}

} // namespace safetp::conformance
