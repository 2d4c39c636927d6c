#include "explain/judge.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>

namespace safetp::explain {

namespace {

using access::kUnknown;

/// Answers an evaluation's questions one after the other.
class Judge {
public:
    Judge(const access::Tables& tables, const access::Request& request, const Daemon& daemon, const Services& services)
        : tables_(tables)
        , daemon_(daemon)
        , services_(services)
    {
        answer_.request = request;
    }

    Answer run();

    access::Step operator()(const access::LookUp& wanted);
    access::Step operator()(const access::AskNetgroup& question);
    access::Step operator()(const access::RunCommand& command);
    access::Step operator()(const access::Effect& effect);
    access::Step operator()(const access::Verdict& verdict) { return verdict; }

private:
    bool is_strict() const { return tables_.reading() == access::Reading::strict; }
    void note(Event::Kind kind, std::string text, std::string result)
    {
        answer_.events.push_back({kind, std::move(text), std::move(result), answer_.trace.size()});
    }
    std::string look_up(const std::string& address, Event::Kind kind);
    void evaluate();
    void settle();
    std::string describe(const access::Effect& effect);
    std::string instead_of(const access::Effect& effect) const;
    void take_reports();

    const access::Tables& tables_;
    const Daemon& daemon_;
    const Services& services_;
    Answer answer_;
    access::Evaluation* evaluation_ = nullptr;
    bool must_refuse_ = false; ///< an aclexec that the gateway may not run
};

Answer Judge::run()
{
    if (daemon_.refuses_paranoid) {
        if (!answer_.request.client_name)
            answer_.request.client_name = look_up(answer_.request.client_address, Event::Kind::client_name);
        if (answer_.request.client_name == access::kParanoid) {
            answer_.refusal = "its name does not check out, and \"paranoid\" in [access] is \"always\"";
            return std::move(answer_);
        }
    }
    evaluate();
    settle();
    return std::move(answer_);
}

void Judge::evaluate()
{
    const bool may_twist = !daemon_.is_gateway || daemon_.runs_commands;
    access::Evaluation evaluation(tables_, answer_.request, {.resident = !may_twist, .twist_allowed = may_twist});
    evaluation_ = &evaluation;
    evaluation.record(&answer_.trace);
    access::Step step = evaluation.start();
    while (!std::holds_alternative<access::Verdict>(step)) {
        take_reports();
        step = std::visit(*this, step);
    }
    take_reports();
    answer_.verdict = std::get<access::Verdict>(step);
    answer_.request = evaluation.request();
    evaluation_ = nullptr;
}

void Judge::settle()
{
    answer_.is_granted = answer_.verdict.granted() && !must_refuse_;
    if (must_refuse_)
        answer_.refusal = "safetpd does not run aclexec unless \"commands\" in [access] is true, and refuses rather than guess";
}

void Judge::take_reports()
{
    for (access::Report& report : evaluation_->take_reports())
        answer_.reports.push_back(std::move(report));
}

std::string Judge::look_up(const std::string& address, Event::Kind kind)
{
    const auto parsed = IpAddress::parse(address.substr(0, address.find('%')));
    if (!parsed || !services_.find_name) {
        note(kind, address, std::string(kUnknown) + (parsed ? " (not looked up)" : ""));
        return kUnknown;
    }
    wrapper::NameFinding found = services_.find_name(*parsed);
    if (is_strict() && found.value.size() > wrapper::kLibraryNameBytes)
        found.value.resize(wrapper::kLibraryNameBytes);
    note(kind, address, found.warning.empty() ? found.value : found.value + " (" + found.warning + ")");
    if (!found.warning.empty())
        answer_.reports.push_back(
            evaluation_ ? evaluation_->warning(found.warning) : access::Report{"err", "warning: " + found.warning});
    return found.value;
}

access::Step Judge::operator()(const access::LookUp& wanted)
{
    if (wanted.fact == access::Fact::client_name)
        return evaluation_->learn(look_up(answer_.request.client_address, Event::Kind::client_name));
    if (wanted.fact == access::Fact::server_name)
        return evaluation_->learn(look_up(answer_.request.server_address, Event::Kind::server_name));
    note(Event::Kind::client_user, answer_.request.client_address,
        std::string(kUnknown) + " (there is no connection to ask about: --user)");
    return evaluation_->learn(kUnknown);
}

access::Step Judge::operator()(const access::AskNetgroup& question)
{
    const bool is_member = services_.is_in_netgroup && services_.is_in_netgroup(question.group, question.host);
    note(Event::Kind::netgroup, question.host + " in @" + question.group,
        !services_.is_in_netgroup ? "no (not looked up)"
            : is_member           ? "yes"
                                  : "no");
    return evaluation_->answer_netgroup(is_member);
}

access::Step Judge::operator()(const access::RunCommand& command)
{
    const bool is_spawn = command.kind == access::CommandKind::spawn;
    const bool is_skipped = daemon_.is_gateway && !daemon_.runs_commands;
    must_refuse_ = must_refuse_ || (is_skipped && !is_spawn);
    const char* result = is_skipped ? "never run: \"commands\" in [access] is false"
        : is_spawn                  ? "not run here"
                                    : "not run here; taken as successful";
    note(Event::Kind::command, (is_spawn ? "spawn " : "aclexec ") + command.command, result);
    return evaluation_->answer_command(is_skipped && !is_spawn ? 127 : 0);
}

access::Step Judge::operator()(const access::Effect& effect)
{
    const std::string instead = instead_of(effect);
    note(Event::Kind::effect, describe(effect), instead);
    const bool is_identity
        = std::holds_alternative<access::ApplyUser>(effect) || std::holds_alternative<access::ApplyGroup>(effect);
    return evaluation_->answer_effect(is_identity && daemon_.is_gateway && !is_strict() ? ENOTSUP : 0);
}

std::string Judge::describe(const access::Effect& effect)
{
    struct Describer {
        std::string operator()(const access::ApplyKeepalive&) const { return "keepalive"; }
        std::string operator()(const access::ApplyLinger& e) const { return fmt::format("linger {}", e.seconds); }
        std::string operator()(const access::ApplyUmask& e) const { return fmt::format("umask {:03o}", e.mask); }
        std::string operator()(const access::ApplyNice& e) const { return fmt::format("nice {}", e.increment); }
        std::string operator()(const access::ApplySetenv& e) const { return fmt::format("setenv {} {}", e.name, e.value); }
        std::string operator()(const access::ApplyUser& e) const
        {
            return "user " + e.user + (e.group.empty() ? "" : "." + e.group);
        }
        std::string operator()(const access::ApplyGroup& e) const { return "group " + e.group; }
        std::string operator()(const access::SendBanner& e) const
        {
            return fmt::format("banner of {} lines", std::ranges::count(e.text, '\n'));
        }
    };
    if (const auto* banner = std::get_if<access::SendBanner>(&effect))
        answer_.banner += banner->text;
    return std::visit(Describer{}, effect);
}

/// Empty: it does what it says.
std::string Judge::instead_of(const access::Effect& effect) const
{
    const bool is_identity
        = std::holds_alternative<access::ApplyUser>(effect) || std::holds_alternative<access::ApplyGroup>(effect);
    if (is_identity && is_strict())
        return "does nothing under the strict reading, as in libwrap";
    if (!daemon_.is_gateway)
        return "";
    if (is_identity)
        return "safetpd cannot do that and refuses: \"user\" in [server] says who runs the raw ftpd";
    const bool is_for_process = std::holds_alternative<access::ApplyUmask>(effect)
        || std::holds_alternative<access::ApplyNice>(effect) || std::holds_alternative<access::ApplySetenv>(effect);
    return is_for_process && !daemon_.starts_server ? "no effect: safetpd does not start the raw ftpd (\"command\" in [server])"
                                                    : "";
}

} // namespace

Answer judge(const access::Tables& tables, const access::Request& request, const Daemon& daemon, const Services& services)
{
    return Judge(tables, request, daemon, services).run();
}

std::string printable(std::string_view text)
{
    std::string clean;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (character == '\n' || character == '\r' || character == '\t')
            clean += character == '\n' ? "\\n" : character == '\r' ? "\\r" : "\\t";
        else if (byte < 0x20 || byte >= 0x7f)
            clean += fmt::format("\\x{:02x}", byte);
        else
            clean += character;
    }
    return clean;
}

} // namespace safetp::explain
