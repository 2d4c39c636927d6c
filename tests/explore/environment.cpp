#include "environment.h"

namespace safetp::explore {

using Kind = Occurrence::Kind;
using Tls = Environment::Tls;
using Port = Environment::Port;
using Told = Environment::Told;

void Environment::fold(Folder& into) const
{
    into.add(unanswered.size());
    for (const auto line : unanswered)
        into.add(line);
    into.add(inside_code);
    into.add(asked.size());
    for (const Question& question : asked) {
        into.add(question.asked);
        into.add(question.user);
    }
    into.add(login.step);
    into.add(login.user);
    into.add(last_user);
    into.add(tls);
    into.add(client_port);
    into.add(server_port);
    into.add(inside_reply);
    into.add(last_final);
    for (const bool flag : {was_greeted, is_private, has_greeted, server_is_gone, has_repeated, more_has_come, auth_is_asked,
             auth_is_accepted, is_draining, has_ended, transfer.has_value()})
        into.add(flag);
    if (!transfer)
        return;
    into.add(transfer->direction);
    into.add(transfer->by_server);
    into.add(transfer->to_client);
    for (const bool flag :
        {transfer->is_expected, transfer->has_started, transfer->preliminary_seen, transfer->data_over, transfer->is_finishing,
            transfer->is_delivered, transfer->has_failed, transfer->server_broke_off, transfer->was_aborted})
        into.add(flag);
}

Surroundings::Surroundings(const Configuration& configuration) : configuration_(configuration), alphabet_(configuration)
{
    for (const auto& reply : server_replies()) {
        const std::string text(reply.text);
        texts_.push_back({text, text + " again", text.substr(0, 3) + "-" + text.substr(4)});
    }
}

Environment Surroundings::initial() const
{
    Environment environment;
    environment.asked.push_back({Asked::greeting});
    if (configuration_.policy.implicit_tls) {
        environment.tls = Tls::starting;
        environment.is_private = true;
    }
    environment.was_greeted = !configuration_.policy.passes_greeting;
    return environment;
}

// One 150 a transfer; Pure-FTPd ends one that was reset with a second 150 and nothing more.
bool Surroundings::ends_as_pure_ftpd_does(const Environment& environment, const ServerReply& reply)
{
    const auto& transfer = environment.transfer;
    return reply.asked == Asked::transfer && transfer && transfer->preliminary_seen;
}

bool Surroundings::may_reply(const Environment& environment, const ServerReply& reply) const
{
    if (!reply.is_final() && ends_as_pure_ftpd_does(environment, reply)
        && (!environment.transfer->was_aborted || environment.transfer->server_broke_off))
        return false;
    return !environment.more_has_come && environment.inside_reply == Environment::kNoReply && !environment.asked.is_empty()
        && environment.asked.front().asked == reply.asked
        && (reply.when & (1u << static_cast<unsigned>(environment.login.step)));
}

// A line that does nothing before its turn may as well come when it is the first that waits: then what waits behind the first
// is only what acts at once.
bool Surroundings::may_send(const Environment& environment, const Occurrence& occurrence) const
{
    const bool acts_at_once = occurrence.kind == Kind::client_line && alphabet_.client_lines()[occurrence.index].acts_at_once;
    const std::size_t most = acts_at_once ? configuration_.most_unanswered : configuration_.most_unanswered_idle;
    return environment.unanswered.size() < most;
}

// The data channel speaks of a transfer that it knows of, and of each only once.
bool Surroundings::may_fail(const Environment& environment) const
{
    const auto& transfer = environment.transfer;
    return transfer && (transfer->has_started || transfer->is_expected) && !transfer->has_failed && !transfer->was_aborted
        && !transfer->is_delivered;
}

bool Surroundings::is_possible(
    const Environment& environment, const ftp::ControlChannel& channel, const Occurrence& occurrence) const
{
    if (environment.has_ended) // whatever still comes is to be ignored
        return occurrence.kind < Kind::reply_again || occurrence.kind > Kind::close_bare;
    const auto& transfer = environment.transfer;
    const bool is_in_clear_or_secure = environment.tls != Tls::starting;
    // An implicit session reaches the raw ftpd only when TLS is up.
    const bool server_may_speak = !environment.server_is_gone
        && (is_in_clear_or_secure || environment.has_greeted || !configuration_.policy.implicit_tls);
    switch (occurrence.kind) {
    case Kind::client_line:
    case Kind::client_too_long:
        return is_in_clear_or_secure && channel.wants_client_lines() && may_send(environment, occurrence);
    case Kind::reply:
    case Kind::reply_and_more:
    case Kind::open_reply: return server_may_speak && may_reply(environment, server_replies()[occurrence.index]);
    case Kind::reply_again:
        return server_may_speak && environment.last_final != Environment::kNoReply
            && (environment.more_has_come || (configuration_.habit == Habit::repeats_late && !environment.has_repeated));
    case Kind::silence:
        return server_may_speak && transfer && transfer->was_aborted && !transfer->server_broke_off
            && !environment.asked.is_empty() && environment.asked.front().asked == Asked::transfer
            && environment.inside_reply == Environment::kNoReply;
    case Kind::more_of_reply:
    case Kind::close_reply:
    case Kind::close_bare: return server_may_speak && environment.inside_reply != Environment::kNoReply;
    case Kind::unasked_421:
        return server_may_speak && environment.has_greeted && environment.asked.is_empty() && !environment.more_has_come
            && environment.inside_reply == Environment::kNoReply;
    case Kind::no_reply:
        return server_may_speak && !environment.more_has_come && environment.inside_reply == Environment::kNoReply;
    case Kind::server_too_long: return server_may_speak;
    case Kind::server_end: return server_may_speak;
    case Kind::server_unreachable: return !environment.has_greeted;
    case Kind::tls_started:
    case Kind::tls_failed:
    case Kind::plaintext_after_auth: return environment.tls == Tls::starting;
    case Kind::auth_accepted:
    case Kind::auth_refused: return environment.auth_is_asked;
    case Kind::passive_opened: return environment.client_port == Port::wanted;
    case Kind::server_listener: return environment.server_port == Port::wanted;
    case Kind::setup_failed: return environment.client_port == Port::wanted || environment.server_port == Port::wanted;
    case Kind::data_over: return may_fail(environment) && transfer->has_started && !transfer->data_over;
    case Kind::delivered: return transfer && transfer->is_finishing && !transfer->was_aborted && !transfer->has_failed;
    case Kind::client_broken:
    case Kind::server_broken: return may_fail(environment);
    case Kind::timeout: return channel.waiting() != ftp::ControlChannel::Waiting::nothing;
    case Kind::login_timeout: return !channel.is_logged_in();
    case Kind::drain: return !environment.is_draining;
    case Kind::client_end:
    case Kind::drain_over:
    case Kind::broken: return true;
    }
    return false;
}

void Surroundings::reply(Environment& environment, std::uint8_t index) const
{
    const ServerReply& reply = server_replies()[index];
    const Question question = environment.asked.front();
    auto& transfer = environment.transfer;
    if (!reply.is_final() && !ends_as_pure_ftpd_does(environment, reply)) {
        if (question.asked == Asked::transfer && transfer)
            transfer->preliminary_seen = true;
        return;
    }
    environment.asked.pop_front();
    if (!reply.is_final())
        return;
    if (configuration_.habit != Habit::exact && !environment.has_repeated)
        environment.last_final = index;
    const int code = reply.code();
    environment.has_greeted = environment.has_greeted || question.asked == Asked::greeting;
    environment.login = after_reply(environment.login, question, code);
    if (question.asked == Asked::user && code < 400)
        environment.last_user = question.user;
    const bool pass_was_due = environment.login.step != ServerLogin::Step::done;
    const bool is_password = question.asked == Asked::pass || question.asked == Asked::acct;
    environment.login_was_refused = code >= 400 && (question.asked == Asked::user || (is_password && pass_was_due));
    if (question.asked == Asked::transfer && transfer)
        transfer->by_server = code < 300 ? Told::success : Told::failure;
}

Input Surroundings::happen(Environment& environment, const Occurrence& occurrence) const
{
    if (environment.has_ended) {
        Environment unchanged = environment;
        unchanged.has_ended = false;
        if (unchanged.asked.is_empty())
            unchanged.asked.push_back({});
        unchanged.unanswered = {};
        unchanged.transfer.emplace(Environment::Transfer{});
        return happen(unchanged, occurrence);
    }
    environment.login_was_refused = environment.stat_came_in_transfer = environment.nobody_waited = false;
    auto& transfer = environment.transfer;
    switch (occurrence.kind) {
    case Kind::client_line: {
        const ClientLine& line = alphabet_.client_lines()[occurrence.index];
        environment.unanswered.push_back(occurrence.index);
        environment.stat_came_in_transfer = line.says == Says::stat && transfer.has_value();
        return {occurrence.kind, line.text};
    }
    case Kind::client_too_long: environment.unanswered.push_back(alphabet_.too_long_line()); break;
    case Kind::reply: reply(environment, occurrence.index); return {occurrence.kind, texts_[occurrence.index].once};
    case Kind::reply_and_more:
        reply(environment, occurrence.index);
        environment.more_has_come = true;
        return {occurrence.kind, texts_[occurrence.index].once};
    case Kind::silence: environment.asked.pop_front(); break;
    case Kind::reply_again: {
        environment.more_has_come = false;
        environment.has_repeated = configuration_.habit == Habit::repeats_late;
        const auto index = environment.last_final;
        environment.last_final = Environment::kNoReply;
        return {occurrence.kind, texts_[index].again};
    }
    case Kind::open_reply: environment.inside_reply = occurrence.index; return {occurrence.kind, texts_[occurrence.index].open};
    case Kind::more_of_reply: return {occurrence.kind, "text"};
    case Kind::close_reply:
    case Kind::close_bare: {
        const auto index = environment.inside_reply;
        environment.inside_reply = Environment::kNoReply;
        reply(environment, index);
        const std::string_view text = texts_[index].once;
        return {occurrence.kind, occurrence.kind == Kind::close_bare ? text.substr(0, 3) : text};
    }
    case Kind::unasked_421: return {occurrence.kind, "421 <unasked>"};
    case Kind::no_reply: return {occurrence.kind, "text"};
    case Kind::server_end: environment.server_is_gone = true; break;
    case Kind::tls_started: environment.tls = Tls::secure; break;
    case Kind::auth_accepted:
    case Kind::auth_refused:
        environment.auth_is_asked = false;
        environment.auth_is_accepted = occurrence.kind == Kind::auth_accepted;
        break;
    case Kind::passive_opened: environment.client_port = Port::open; break;
    case Kind::server_listener: environment.server_port = Port::open; break;
    case Kind::setup_failed:
        for (Port* port : {&environment.client_port, &environment.server_port})
            *port = *port == Port::wanted ? Port::none : *port;
        break;
    case Kind::data_over: transfer->data_over = true; break;
    case Kind::delivered: transfer->is_delivered = true; break;
    case Kind::client_broken:
    case Kind::server_broken:
        transfer->has_failed = true;
        transfer->server_broke_off = occurrence.kind == Kind::server_broken;
        break;
    case Kind::drain: environment.is_draining = true; break;
    default: break;
    }
    return {occurrence.kind, {}};
}

} // namespace safetp::explore
