#include "wrapper/decide.h"

#include "wrapper/command.h"
#include "wrapper/effects.h"
#include "wrapper/ident.h"

#include <algorithm>
#include <array>
#include <netdb.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

using Clock = std::chrono::steady_clock;

bool is_in_netgroup(const access::AskNetgroup& question)
{
    std::array<char, 256> domain{};
    const bool has_domain = ::getdomainname(domain.data(), domain.size() - 1) == 0 && domain[0] != '\0' && domain[0] != '(';
    return ::innetgr(question.group.c_str(), question.host.c_str(), nullptr, has_domain ? domain.data() : nullptr) != 0;
}

/// A lookup that began then has been made.
void take_time(Means& means, Clock::time_point begin)
{
    means.lookup_time -= std::min(means.lookup_time, std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - begin));
}

/// The answers to an evaluation's questions; each gives the next step.
class Answers {
public:
    Answers(access::Evaluation& evaluation, Means& means)
        : evaluation_(evaluation), means_(means), effects_(means.connection.fd)
    {
    }

    access::Step operator()(const access::LookUp& question)
    {
        switch (question.fact) {
        case access::Fact::client_user: return evaluation_.learn(find_user(question.seconds));
        case access::Fact::client_name: return evaluation_.learn(name_of(means_.connection.client));
        case access::Fact::server_name: break;
        }
        return evaluation_.learn(name_of(means_.connection.server));
    }

    access::Step operator()(const access::AskNetgroup& question)
    {
        return evaluation_.answer_netgroup(is_in_netgroup(question));
    }

    access::Step operator()(const access::RunCommand& run)
    {
        // libwrap lets aclexec's command read from and write to the client.
        const bool is_inherited = run.kind == access::CommandKind::aclexec && means_.reading == access::Reading::strict;
        const auto streams = is_inherited ? CommandStreams::inherited : CommandStreams::null_device;
        const CommandEnd end = run_command(run.command, streams);
        return evaluation_.answer_command(end.exit_status, end.killed_by, end.process_id);
    }

    access::Step operator()(const access::Effect& effect) { return evaluation_.answer_effect(effects_.apply(effect)); }

    access::Step operator()(const access::Verdict& verdict) { return verdict; }

    bool has_identity_failed() const { return effects_.has_identity_failed(); }

private:
    std::string name_of(const std::optional<SocketAddress>& end)
    {
        const NameFinding finding = find_name(end, means_);
        if (!finding.warning.empty())
            means_.report(evaluation_.warning(finding.warning));
        return finding.value;
    }

    std::string find_user(unsigned seconds)
    {
        const Connection& connection = means_.connection;
        if (!connection.is_stream || !connection.client || !connection.server)
            return access::kUnknown;
        const std::chrono::milliseconds time = seconds == 0 ? means_.ident_time : std::chrono::seconds(seconds);
        if (means_.reading == access::Reading::strict)
            return ask_ident(*connection.client, *connection.server, time);
        const auto begin = Clock::now();
        std::string user = ask_ident(*connection.client, *connection.server, std::min(time, means_.lookup_time));
        take_time(means_, begin);
        return user;
    }

    access::Evaluation& evaluation_;
    Means& means_;
    Effects effects_;
};

} // namespace

NameFinding find_name(const std::optional<SocketAddress>& end, Means& means)
{
    const auto endpoint = end ? from_socket_address(*end) : fail(ErrorCode::bad_address);
    if (!endpoint)
        return {access::kUnknown, {}};
    if (means.reading == access::Reading::strict)
        return look_up_name(endpoint->address, kLibraryNameBytes);
    const auto begin = Clock::now();
    NameFinding finding = look_up_name_within(endpoint->address, means.lookup_time);
    take_time(means, begin);
    return finding;
}

access::Verdict decide(access::Evaluation& evaluation, Means means)
{
    Answers answers(evaluation, means);
    access::Step step = evaluation.start();
    for (;;) {
        for (const access::Report& report : evaluation.take_reports())
            means.report(report);
        if (std::holds_alternative<access::Verdict>(step))
            break;
        step = std::visit(answers, step);
    }
    access::Verdict verdict = std::get<access::Verdict>(step);
    if (answers.has_identity_failed() && means.reading == access::Reading::safe && verdict.outcome != access::Outcome::error) {
        means.report({"err", "error: the identity that a rule asked for could not be taken; refused"});
        verdict.outcome = access::Outcome::error;
    }
    return verdict;
}

} // namespace safetp::wrapper
