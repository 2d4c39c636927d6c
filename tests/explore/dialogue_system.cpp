#include "dialogue_system.h"

#include "judge.h"
#include "script.h"

#include <algorithm>

namespace safetp::explore {

using Kind = Occurrence::Kind;

namespace {

constexpr int kMostTurns = 32; // more than commands may wait

const IpAddress kServer = IpAddress::from_ipv4({10, 0, 0, 1});
const IpAddress kServer6 = IpAddress::from_ipv6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

} // namespace

DialogueSystem::State::State(const Configuration& configuration)
    : channel(configuration.policy, configuration.client_is_ipv6 ? kClient6 : kClient,
        configuration.server_is_ipv6 ? kServer6 : kServer)
{
}

DialogueSystem::DialogueSystem(const Configuration& configuration) : configuration_(configuration), surroundings_(configuration)
{
}

DialogueSystem::State DialogueSystem::initial() const
{
    State state(configuration_);
    state.environment = surroundings_.initial();
    if (configuration_.policy.passes_greeting)
        return state;
    // A proxy that was named by its client: the reception passes USER on, before the server's greeting.
    state.channel.set_proxy_name("ftp.example.com");
    const auto& lines = configuration_.client_lines;
    const auto user = std::ranges::find(lines, kFirstLineAtProxy) - lines.begin();
    const Input first = surroundings_.happen(state.environment, {Kind::client_line, static_cast<std::uint8_t>(user)});
    give(state.channel, first);
    return state;
}

void DialogueSystem::enabled(const State& state, std::vector<Event>& events) const
{
    const auto& occurrences = surroundings_.alphabet().occurrences();
    for (std::size_t event = 0; event < occurrences.size(); ++event)
        if (surroundings_.is_possible(state.environment, state.channel, occurrences[event]))
            events.push_back(static_cast<Event>(event));
}

// What the shell does: tells the dialogue, and lets it go on when nothing more has come from the raw ftpd. `heard` is told of
// each output.
template <typename Heard>
void DialogueSystem::happen(State& state, const Occurrence& occurrence, const Heard& heard) const
{
    auto& [channel, environment] = state;
    const bool was_expected = channel.expects_server();
    const Input input = surroundings_.happen(environment, occurrence);
    environment.nobody_waited = !was_expected;
    give(channel, input);
    heard(channel.take_output());
    for (int turn = 0; !environment.more_has_come && channel.can_proceed(); ++turn) {
        if (turn == kMostTurns)
            throw Violation{"live", "it can go on, and does not", {}};
        channel.proceed();
        heard(channel.take_output());
    }
}

void DialogueSystem::happen(State& state, Event event) const
{
    const Occurrence& occurrence = surroundings_.alphabet().occurrences()[event];
    Judge judge(configuration_, surroundings_.alphabet(), state.environment);
    happen(state, occurrence, [&judge](const ftp::Output& output) { judge.judge_output(output); });
    judge.judge_state(state.channel, occurrence.kind);
}

Digest DialogueSystem::digest(const State& state) const
{
    Folder folder;
    ftp::DialogueProbe::fold(state.channel, folder);
    if (!state.environment.has_ended)
        state.environment.fold(folder);
    return folder.digest();
}

bool DialogueSystem::is_at_rest(const State& state) const
{
    return state.channel.has_ended() || state.environment.has_repeated // out of step, only timers help
        || (state.channel.waiting() == ftp::ControlChannel::Waiting::client && state.environment.unanswered.is_empty());
}

// What is owed: the raw ftpd's replies, what the shell says when it was asked or has moved the data, and the one timer that
// helps on instead of giving up.
bool DialogueSystem::is_answer(const State& state, Event event) const
{
    switch (surroundings_.alphabet().occurrences()[event].kind) {
    case Kind::reply:
    case Kind::close_reply:
    case Kind::close_bare:
    case Kind::tls_started:
    case Kind::auth_accepted:
    case Kind::auth_refused:
    case Kind::passive_opened:
    case Kind::server_listener:
    case Kind::setup_failed:
    case Kind::data_over:
    case Kind::delivered:
    case Kind::client_broken:
    case Kind::server_broken: return true;
    case Kind::reply_again: return configuration_.habit == Habit::answers_twice;
    case Kind::timeout: return state.channel.waiting() == ftp::ControlChannel::Waiting::aftermath;
    default: return false;
    }
}

std::string DialogueSystem::label(Event event) const
{
    const Occurrence& occurrence = surroundings_.alphabet().occurrences()[event];
    if (occurrence.kind == Kind::client_line)
        return "C> " + escaped(surroundings_.alphabet().client_lines()[occurrence.index].text);
    if (occurrence.kind == Kind::reply || occurrence.kind == Kind::open_reply || occurrence.kind == Kind::reply_and_more)
        return "S> " + std::string(server_replies()[occurrence.index].text);
    return to_script({occurrence.kind, "..."}, State(configuration_).channel);
}

std::string DialogueSystem::script(const std::vector<Event>& path) const
{
    std::string text = "    " + policy_words(configuration_) + "\n";
    State state = initial();
    if (!configuration_.policy.passes_greeting)
        text += "    event proxy_name ftp.example.com\n    C> " + std::string(kFirstLineAtProxy) + "\n";
    for (const Event event : path) {
        const Occurrence& occurrence = surroundings_.alphabet().occurrences()[event];
        State unchanged = state;
        text += "    " + to_script(surroundings_.happen(unchanged.environment, occurrence), state.channel) + "\n";
        const auto tell = [&](const ftp::Output& output) {
            text += to_script(output);
            Judge(configuration_, surroundings_.alphabet(), state.environment).judge_output(output);
        };
        try { // only to learn what came out; what is wrong with it was said already
            happen(state, occurrence, tell);
        } catch (const Violation&) {
        }
    }
    return text;
}

} // namespace safetp::explore
