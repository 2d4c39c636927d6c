#include "access/evaluation.h"

#include "access/machine.h"

namespace safetp::access {

Evaluation::Evaluation(const Tables& tables, Request request, Settings settings)
    : machine_(std::make_unique<Machine>(tables, std::move(request), settings))
{
}

Evaluation::Evaluation(Evaluation&&) noexcept = default;
Evaluation::~Evaluation() = default;

Step Evaluation::start() { return machine_->run(); }

Step Evaluation::learn(const std::string& value)
{
    machine_->learn(value);
    return machine_->run();
}

Step Evaluation::answer_netgroup(bool member)
{
    machine_->answer_netgroup(member);
    return machine_->run();
}

Step Evaluation::answer_command(int exit_status, int killed_by, int process_id)
{
    machine_->answer_command(exit_status, killed_by, process_id);
    return machine_->run();
}

Step Evaluation::answer_effect(int os_error)
{
    machine_->answer_effect(os_error);
    return machine_->run();
}

const Request& Evaluation::request() const { return machine_->request(); }

std::vector<Report> Evaluation::take_reports() { return machine_->journal().take(); }

Report Evaluation::warning(std::string_view text) const { return {"err", machine_->journal().located("warning", text)}; }

void Evaluation::record(std::vector<Trace>* trace) { machine_->journal().record(trace); }

} // namespace safetp::access
