// Asks the access engine one question and answers everything that it wants to know from a table.
#pragma once

#include "access/evaluation.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace safetp::access {

struct Question {
    std::string allow;
    std::string deny;
    Reading reading = Reading::strict;
    std::string daemon = "ftpd";
    std::string address = "10.1.2.3";
    std::string name = "ws3.lab.example"; ///< what a lookup yields
    std::string user = "ann";
    std::string server_address = "10.9.9.1";
    std::string server_name = "gate.example";
    std::optional<std::uint16_t> client_port = 40000;
    std::optional<std::uint16_t> server_port = 21;
    bool has_endpoints = true;
    std::map<std::string, FileText> files;
    std::set<std::pair<std::string, std::string>> netgroups; ///< group, host
    int exit_status = 0;                                     ///< of commands
    int os_error = 0;                                        ///< of effects
    Settings settings{};
    std::vector<Trace>* trace = nullptr;
    FileText::State allow_state = FileText::State::text;
    FileText::State deny_state = FileText::State::text;
};

struct Answer {
    Verdict verdict;
    std::vector<std::string> lookups;
    std::vector<std::string> commands;
    std::vector<Effect> effects;
    std::vector<std::string> reports; ///< "level: text"
    std::string matched;              ///< allow:1, or empty
};

inline FileText file(std::string text) { return {FileText::State::text, std::move(text), 0}; }

inline Step answer_step(const Question& question, Evaluation& evaluation, const Step& step, Answer& answer)
{
    if (const auto* look_up = std::get_if<LookUp>(&step)) {
        const bool client = look_up->fact == Fact::client_name;
        answer.lookups.push_back(client ? "client_name" : look_up->fact == Fact::server_name ? "server_name" : "client_user");
        return evaluation.learn(client               ? question.name
                : look_up->fact == Fact::server_name ? question.server_name
                                                     : question.user);
    }
    if (const auto* ask = std::get_if<AskNetgroup>(&step))
        return evaluation.answer_netgroup(question.netgroups.contains({ask->group, ask->host}));
    if (const auto* run = std::get_if<RunCommand>(&step)) {
        answer.commands.push_back((run->kind == CommandKind::spawn ? "spawn " : "aclexec ") + run->command);
        return evaluation.answer_command(question.exit_status);
    }
    answer.effects.push_back(std::get<Effect>(step));
    return evaluation.answer_effect(question.os_error);
}

inline Answer decide(const Question& question)
{
    TableFiles files;
    files.allow_path = "/hosts.allow";
    files.deny_path = "/hosts.deny";
    files.allow = {question.allow_state, question.allow, question.allow_state == FileText::State::unreadable ? ELOOP : 0};
    files.deny = {question.deny_state, question.deny, question.deny_state == FileText::State::unreadable ? ELOOP : 0};
    files.others = question.files;
    const std::vector<std::byte> image = compile(files, question.reading);

    Request request;
    request.daemon = question.daemon;
    request.client_address = question.address;
    request.server_address = question.server_address;
    request.client_port = question.client_port;
    request.server_port = question.server_port;
    request.has_endpoints = question.has_endpoints;
    request.process_id = 77;

    Answer answer;
    Evaluation evaluation(Tables::open(image).value(), request, question.settings);
    evaluation.record(question.trace);
    Step step = evaluation.start();
    while (!std::holds_alternative<Verdict>(step))
        step = answer_step(question, evaluation, step, answer);
    answer.verdict = std::get<Verdict>(step);
    for (const Report& report : evaluation.take_reports())
        answer.reports.push_back(report.level + ": " + report.text);
    if (answer.verdict.matched)
        answer.matched = (answer.verdict.matched->table == TableName::allow ? "allow:" : "deny:")
            + std::to_string(answer.verdict.matched->line);
    return answer;
}

} // namespace safetp::access
