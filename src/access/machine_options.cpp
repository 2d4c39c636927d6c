#include "access/machine.h"

#include "access/facts.h"
#include "access/text.h"

#include <cerrno>
#include <fmt/core.h>

namespace safetp::access {

namespace {

constexpr int kUsualNice = 10;

constexpr std::size_t kBannerLine = 8190; // libwrap reads a banner in pieces of so many bytes at most

/// The next piece of a banner as libwrap reads and changes it, taken off `rest`.
std::string take_banner_line(std::string& rest)
{
    std::string line = rest.substr(0, kBannerLine);
    if (const std::size_t end = line.find('\n'); end != std::string::npos)
        line.resize(end + 1);
    rest.erase(0, line.size());
    line = line.substr(0, line.find('\0'));
    if (const std::size_t end = find_outside_brackets(line, '\n'); end != std::string_view::npos)
        line = line.substr(0, end) + "\r\n";
    return line;
}

ApplySetenv environment(const std::string& value)
{
    auto [name, text] = parse_setenv(value);
    return {std::move(name), std::move(text)};
}

} // namespace

using MaybeStep = std::optional<Step>;

MaybeStep Evaluation::Machine::run_options()
{
    if (!failure_.empty())
        return option_error(failure_);
    while (field_ < fields_.size()) {
        if (!option_parsed_) {
            journal_.begin();
            auto option = parse_option(fields_[field_], field_ + 1 == fields_.size());
            if (!option)
                return option_error(option.error());
            option_ = std::move(*option);
            option_parsed_ = true;
            group_done_ = false;
            expander_.reset();
            banner_.clear();
            if (journal_.tracing())
                journal_.trace({Trace::Kind::option, position(), std::string(trimmed(fields_[field_])), true, ""});
        }
        if (MaybeStep step = run_option())
            return step;
        if (phase_ != Phase::options) // the rule was taken back: its other options do not count, least of all its end
            return std::nullopt;
        ++field_;
        option_parsed_ = false;
    }
    return end_of_rule();
}

MaybeStep Evaluation::Machine::run_option()
{
    std::string value = option_.value.value_or("");
    if (expands(option_.keyword)) {
        if (!expander_)
            expander_.emplace(value, kExpansionRoom, !safe());
        if (MaybeStep step = expand(value))
            return step;
        value = trimmed(value);
    }
    return perform(value);
}

MaybeStep Evaluation::Machine::expand(std::string& value)
{
    const auto state = expander_->run(request_);
    for (const std::string& complaint : expander_->take_complaints())
        journal_.warn(complaint);
    if (state == Expander::State::overflow)
        return overflowed();
    if (state == Expander::State::pending) {
        asked_ = expander_->missing();
        return LookUp{*asked_, *asked_ == Fact::client_user ? matcher_.ident_seconds : 0};
    }
    value = expander_->result();
    return std::nullopt;
}

/// libwrap ends the process here (B11).
MaybeStep Evaluation::Machine::overflowed() { return finish(safe() ? Outcome::error : Outcome::exited, true); }

MaybeStep Evaluation::Machine::perform(const std::string& value)
{
    if (const auto error = value_error(option_.keyword, value))
        return option_error(*error);
    const bool dry = settings_.dry_run;
    switch (option_.keyword) {
    case Keyword::allow:
        if (safe() && rule_failed_) {
            journal_.warn("aclexec failed: the option \"allow\" behind it does not count");
            return rule_taken_back();
        }
        return finish(Outcome::granted, true);
    case Keyword::deny: return finish(Outcome::denied, true);
    case Keyword::severity: state_->severity = *parse_severity(value); return std::nullopt;
    case Keyword::linger:
    case Keyword::umask:
    case Keyword::nice: return perform_number(option_.keyword, value);
    case Keyword::keepalive: return dry ? std::nullopt : effect(ApplyKeepalive{});
    case Keyword::rfc931: return ask_ident(value);
    case Keyword::setenv: return effect(environment(value));
    case Keyword::user:
    case Keyword::group: return dry ? std::nullopt : change_identity(value);
    case Keyword::banners: return send_banner(value);
    case Keyword::twist: return twist(value);
    case Keyword::spawn:
    case Keyword::aclexec: break;
    }
    if (dry)
        return std::nullopt;
    return RunCommand{option_.keyword == Keyword::spawn ? CommandKind::spawn : CommandKind::aclexec, value};
}

MaybeStep Evaluation::Machine::perform_number(Keyword keyword, const std::string& value)
{
    if (keyword == Keyword::umask)
        return effect(ApplyUmask{*scan_octal(value)});
    const int number = value.empty() ? kUsualNice : *scan_number(value);
    if (settings_.dry_run)
        return std::nullopt;
    return keyword == Keyword::linger ? effect(ApplyLinger{number}) : effect(ApplyNice{number});
}

MaybeStep Evaluation::Machine::change_identity(const std::string& value)
{
    if (option_.keyword == Keyword::group)
        return effect(ApplyGroup{value, !safe()});
    const std::size_t dot = find_outside_brackets(value, '.');
    const std::string group = dot == std::string::npos ? "" : value.substr(dot + 1);
    if (dot != std::string::npos && !group_done_)
        return effect(ApplyGroup{group, !safe()});
    const std::string user = value.substr(0, dot);
    return effect(ApplyUser{user, group, !safe()});
}

MaybeStep Evaluation::Machine::ask_ident(const std::string& value)
{
    if (!value.empty()) {
        const auto seconds = static_cast<unsigned>(*scan_number(value));
        state_->rfc931_seconds = matcher_.ident_seconds = seconds;
    }
    if (matcher_.fact(Fact::client_user) != nullptr)
        return std::nullopt;
    asked_ = Fact::client_user;
    return std::get<LookUp>(matcher_.pending());
}

MaybeStep Evaluation::Machine::twist(const std::string& command)
{
    if (!settings_.dry_run) {
        if (safe() ? !settings_.twist_allowed : settings_.resident)
            return option_error("twist option in resident process");
        journal_.log(state_->severity.empty() ? "daemon.warning" : state_->severity,
            fmt::format("twist {} to {}", client_text(request_), command));
    }
    Verdict verdict = finish(Outcome::twisted, false);
    verdict.twist = command;
    return verdict;
}

MaybeStep Evaluation::Machine::send_banner(const std::string& directory)
{
    if (!expander_) {
        const auto file = image_.file(directory + "/" + request_.daemon);
        if (!file || image::View::state_of(*file) != FileText::State::text) {
            const auto folder = image_.file(directory);
            const auto state = folder ? image::View::state_of(*folder) : FileText::State::missing;
            if (state == FileText::State::missing || state == FileText::State::unreadable)
                journal_.warn(
                    fmt::format("{}: {}", directory, system_text(folder && folder->os_error != 0 ? folder->os_error : ENOENT)));
            return std::nullopt;
        }
        const std::string_view text = image_.text(file->text);
        const std::size_t nuls = std::min(text.find_first_not_of('\0'), text.size());
        banner_ = text.substr(0, nuls);
        banner_rest_ = text.substr(nuls);
    }
    while (expander_ || !banner_rest_.empty()) {
        if (!expander_)
            expander_.emplace(take_banner_line(banner_rest_), kBannerRoom, !safe());
        std::string line;
        if (MaybeStep step = expand(line))
            return step;
        banner_ += line;
        expander_.reset();
    }
    return settings_.dry_run || banner_.empty() ? std::nullopt : effect(SendBanner{banner_});
}

/// Answered by answer_effect().
MaybeStep Evaluation::Machine::effect(Effect effect)
{
    under_way_ = effect;
    return Step(std::move(effect));
}

MaybeStep Evaluation::Machine::option_error(std::string_view text)
{
    journal_.error(text);
    return finish(Outcome::error, true);
}

void Evaluation::Machine::answer_command(int exit_status, int killed_by, int process_id)
{
    if (option_.keyword == Keyword::aclexec) {
        const bool failed = exit_status != 0 || killed_by != 0;
        state_->aclexec_failed = failed;
        rule_failed_ = failed || (rule_failed_ && !refuses(rule_, table_)); // to be let in, all commands must succeed
        if (safe() && rule_failed_ && !failed)
            journal_.warn("this aclexec succeeded, but an earlier one of the rule failed: libwrap forgets that");
        if (killed_by != 0)
            journal_.warn(fmt::format("process {} exited with signal {}", process_id, killed_by));
    }
    ++field_;
    option_parsed_ = false;
}

void Evaluation::Machine::answer_effect(int os_error)
{
    const bool group = std::holds_alternative<ApplyGroup>(under_way_);
    if (os_error != 0)
        effect_failed(os_error);
    if (group && option_.keyword == Keyword::user) {
        group_done_ = true; // the user itself is next
        return;
    }
    ++field_;
    option_parsed_ = false;
}

void Evaluation::Machine::effect_failed(int os_error)
{
    if (const auto* user = std::get_if<ApplyUser>(&under_way_))
        failure_ = os_error == ENOENT ? fmt::format("unknown user: \"{}\"", user->user)
                                      : fmt::format("setuid({}): {}", user->user, system_text(os_error));
    else if (const auto* group = std::get_if<ApplyGroup>(&under_way_))
        failure_ = os_error == ENOENT ? fmt::format("unknown group: \"{}\"", group->group)
                                      : fmt::format("setgid({}): {}", group->group, system_text(os_error));
    else if (std::holds_alternative<ApplySetenv>(under_way_))
        failure_ = "memory allocation failure";
    else if (std::holds_alternative<ApplyKeepalive>(under_way_))
        journal_.warn(fmt::format("setsockopt SO_KEEPALIVE: {}", system_text(os_error)));
    else if (const auto* linger = std::get_if<ApplyLinger>(&under_way_))
        journal_.warn(fmt::format("setsockopt SO_LINGER {}: {}", linger->seconds, system_text(os_error)));
    else if (const auto* nice = std::get_if<ApplyNice>(&under_way_))
        journal_.warn(fmt::format("nice({}): {}", nice->increment, system_text(os_error)));
}

} // namespace safetp::access
