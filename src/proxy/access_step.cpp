#include "proxy/access_step.h"

#include "base/log.h"
#include "proxy/ident.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace safetp::proxy {

using log::Level;

namespace {

/// syslog(3)'s levels are more than ours. "daemon.warning" and "warning" are alike here: a log has one facility.
Level level_of(std::string_view severity, Level otherwise)
{
    const std::string_view level = severity.substr(severity.find('.') + 1);
    static constexpr std::pair<std::string_view, Level> kLevels[] = {{"debug", Level::debug}, {"info", Level::info},
        {"notice", Level::notice}, {"warning", Level::warning}, {"err", Level::error}, {"crit", Level::error},
        {"alert", Level::error}, {"emerg", Level::error}};
    const auto found = std::ranges::find(kLevels, level, &std::pair<std::string_view, Level>::first);
    return found == std::end(kLevels) ? otherwise : found->second;
}

access::Request make_request(const AccessStep::Connection& connection, const std::string& daemon)
{
    access::Request request;
    request.daemon = daemon;
    request.client_address = wrapper::numeric_text(to_socket_address(connection.peer));
    request.server_address = wrapper::numeric_text(to_socket_address(connection.local));
    request.client_port = connection.peer.port;
    request.server_port = connection.local.port;
    request.process_id = ::getpid();
    return request;
}

} // namespace

AccessStep::AccessStep(const Connection& connection)
    : connection_(connection)
    , config_(connection.environment.config.access)
    , helper_(*connection.environment.access)
{
    const std::string& own_name = connection.listener.daemon;
    record_.request = make_request(connection, own_name.empty() ? config_.daemon : own_name);
}

net::Task<Admission> AccessStep::run()
{
    const auto image = co_await helper_.tables(wait_);
    if (!image && !wait_.is_stopped())
        log_refusal(record_.request, {});
    std::optional<access::Verdict> verdict;
    if (image) {
        record_.version = image->version();
        wait_.set_deadline(net::Clock::now() + config_.lookup_time);
        if (config_.paranoid == config::Paranoid::always && co_await is_paranoid()) {
            log_refusal(record_.request, {});
            co_return admission_;
        }
        verdict = co_await evaluate(*image);
    }
    if (wait_.is_stopped())
        admission_.kind = Admission::Kind::given_up;
    else if (verdict)
        co_await settle(*verdict, judged_);
    co_return std::move(admission_);
}

// Before any rule is looked at, as tcpd does where it was built with PARANOID.
net::Task<bool> AccessStep::is_paranoid()
{
    record_.request.client_name = co_await find_name(connection_.peer.address, nullptr);
    co_return record_.request.client_name == access::kParanoid && !wait_.is_stopped();
}

net::Task<std::optional<access::Verdict>> AccessStep::evaluate(const TableImage& image)
{
    const access::Settings settings{.resident = !config_.commands, .twist_allowed = config_.commands};
    access::Evaluation evaluation(image.tables(), record_.request, settings);
    access::Step step = evaluation.start();
    while (!std::holds_alternative<access::Verdict>(step)) {
        report(evaluation.take_reports());
        step = co_await answer(evaluation, std::move(step));
        if (wait_.is_stopped())
            co_return std::nullopt;
    }
    report(evaluation.take_reports());
    judged_ = evaluation.request();
    co_return std::get<access::Verdict>(std::move(step));
}

net::Task<access::Step> AccessStep::answer(access::Evaluation& evaluation, access::Step step)
{
    if (const auto* wanted = std::get_if<access::LookUp>(&step)) {
        const std::string value = co_await find_out(*wanted, evaluation);
        co_return evaluation.learn(value);
    }
    if (const auto* question = std::get_if<access::AskNetgroup>(&step)) {
        const bool is_member = !wait_.is_late() && co_await helper_.is_in_netgroup(question->group, question->host, wait_);
        record_.answers.push_back(is_member ? 1 : 0);
        co_return evaluation.answer_netgroup(is_member);
    }
    if (const auto* command = std::get_if<access::RunCommand>(&step)) {
        const int status = co_await run_command(*command);
        record_.answers.push_back(static_cast<std::uint8_t>(status));
        co_return evaluation.answer_command(status);
    }
    co_return evaluation.answer_effect(apply(std::get<access::Effect>(step)));
}

net::Task<std::string> AccessStep::find_out(access::LookUp wanted, const access::Evaluation& evaluation)
{
    std::string value = access::kUnknown;
    switch (wanted.fact) {
    case access::Fact::client_name: {
        value = co_await find_name(connection_.peer.address, &evaluation);
        record_.client_name = value;
        break;
    }
    case access::Fact::server_name: {
        value = co_await find_name(connection_.local.address, &evaluation);
        record_.server_name = value;
        break;
    }
    case access::Fact::client_user: {
        const auto time = wanted.seconds == 0 ? config_.ident_time : std::chrono::seconds(wanted.seconds);
        if (!wait_.is_late())
            value = co_await ask_ident(connection_.environment.executor, connection_.peer, connection_.local, time, wait_);
        record_.client_user = value;
        break;
    }
    }
    co_return value;
}

net::Task<std::string> AccessStep::find_name(const IpAddress& address, const access::Evaluation* evaluation)
{
    if (wait_.is_late())
        co_return access::kUnknown;
    wrapper::NameFinding found = co_await helper_.find_name(address, wait_);
    if (!found.warning.empty())
        report({evaluation ? evaluation->warning(found.warning) : access::Report{"err", "warning: " + found.warning}});
    if (config_.reading == config::AccessReading::strict && found.value.size() > wrapper::kLibraryNameBytes)
        found.value.resize(wrapper::kLibraryNameBytes);
    co_return std::move(found.value);
}

// What a command would have said is not guessed: without it the client is refused, whatever the rest of the tables says.
net::Task<int> AccessStep::run_command(access::RunCommand command)
{
    static constexpr int kNotRun = 127;
    const bool is_spawn = command.kind == access::CommandKind::spawn;
    if (!config_.commands) {
        cannot_apply(is_spawn ? "spawn" : "aclexec", "set commands = true in [access]");
        must_refuse_ = must_refuse_ || !is_spawn;
        co_return is_spawn ? 0 : kNotRun;
    }
    const auto status = co_await helper_.run_command(record_, wait_);
    if (!status)
        log::Event(Level::error, connection_.session, "access", "a rule's command could not be run: " + command.command);
    must_refuse_ = must_refuse_ || (!status && !is_spawn);
    co_return status.value_or(is_spawn ? 0 : kNotRun);
}

int AccessStep::apply(const access::Effect& effect)
{
    const bool is_started = !connection_.environment.config.server.command.empty();
    const auto pass_on = [&](const std::string& option) {
        record_.has_effects = true;
        if (!is_started)
            cannot_apply(option, "have the raw ftpd started for each session (command in [server])");
        return 0;
    };
    if (const auto* linger = std::get_if<access::ApplyLinger>(&effect))
        admission_.linger = std::chrono::seconds(linger->seconds);
    else if (const auto* banner = std::get_if<access::SendBanner>(&effect))
        admission_.banner += banner->text;
    else if (const auto* variable = std::get_if<access::ApplySetenv>(&effect))
        return pass_on("setenv " + variable->name);
    else if (std::holds_alternative<access::ApplyUmask>(effect))
        return pass_on("umask");
    else if (std::holds_alternative<access::ApplyNice>(effect))
        return pass_on("nice");
    else if (!std::holds_alternative<access::ApplyKeepalive>(effect)) { // which every connection has
        // The library does nothing here either (it says it does). Who asks for another identity must not get the old one.
        cannot_apply("user or group", "say who runs the raw ftpd with user in [server]");
        return config_.reading == config::AccessReading::strict ? 0 : ENOTSUP;
    }
    return 0;
}

void AccessStep::cannot_apply(std::string option, std::string instead)
{
    unapplied_.push_back(fmt::format("{} has no effect here: {}", option, instead));
}

net::Task<> AccessStep::settle(const access::Verdict& verdict, const access::Request& request)
{
    log_unapplied(verdict);
    const std::string client = fmt::format("{} ({})", access::client_text(request), request.client_address);
    if (verdict.granted() && !must_refuse_) {
        admission_.kind = Admission::Kind::granted;
        if (record_.has_effects)
            admission_.record = std::make_shared<AccessRecord>(record_);
        log::Event event(level_of(verdict.severity, Level::info), connection_.session, "connect", "connect from " + client);
        event.with("client", connection_.peer.to_string()).with("local", connection_.local.to_string());
        event.with("daemon", request.daemon);
        if (verdict.matched)
            event.with("rule", place_of(*verdict.matched));
        co_return;
    }
    if (verdict.outcome == access::Outcome::twisted && !must_refuse_ && config_.commands
        && co_await helper_.twist(record_, connection_.client, wait_)) {
        admission_.kind = Admission::Kind::twisted; // the evaluation has logged it, and no refusal, as tcpd does
        co_return;
    }
    log_refusal(request, verdict);
}

void AccessStep::report(const std::vector<access::Report>& reports) const
{
    for (const access::Report& each : reports)
        log::Event(level_of(each.level, Level::warning), connection_.session, "access", each.text)
            .with("client", connection_.peer.address);
}

void AccessStep::log_refusal(const access::Request& request, const access::Verdict& verdict) const
{
    log::Event event(level_of(verdict.severity, Level::warning), connection_.session, "access-refused",
        fmt::format("refused connect from {} ({})", access::client_text(request), request.client_address));
    event.with("client", connection_.peer.address).with("local", connection_.local.to_string()).with("daemon", request.daemon);
    if (verdict.matched)
        event.with("rule", place_of(*verdict.matched));
}

// Once for each rule: a warning with every connection would bury the others.
void AccessStep::log_unapplied(const access::Verdict& verdict) const
{
    for (const std::string& what : unapplied_) {
        const std::string text = (verdict.matched ? place_of(*verdict.matched) : "access tables") + ": " + what;
        if (helper_.is_first_warning(record_.version, text))
            log::Event(Level::warning, connection_.session, "access-option", text);
    }
}

std::string AccessStep::place_of(const access::Position& position) const
{
    const bool is_allow = position.table == access::TableName::allow;
    return fmt::format("{}:{}", is_allow ? config_.hosts_allow : config_.hosts_deny, position.line);
}

} // namespace safetp::proxy
