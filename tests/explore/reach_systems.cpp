#include "reach_systems.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace safetp::explore {

namespace {

using Machine = ftp::ServerSecurity;

// Lines first, then what else can happen.
constexpr auto kFromServer
    = std::to_array<std::string_view>({"220 x", "220-x", "120 x", "120-x", "234 x", "334 x", "234-x", "200 x", "200-x", "331 x",
        "421 x", "421-x", "500 x", "500-x", "534 x", "226 x", "text", "(TLS)", "(clear bytes behind it)", "(end)", "(too long)",
        "(200 x, twice)"});
constexpr std::size_t kTls = 17;
constexpr std::size_t kClearBytes = 18;
constexpr std::size_t kEnd = 19;
constexpr std::size_t kTooLong = 20;
constexpr std::size_t kTwice = 21; // both are there before the next question goes out

constexpr unsigned kBadCommands = 3;
constexpr auto kFromClient = std::to_array<std::string_view>({"USER anna@ftp.example.com", "USER anna", "USER @host",
    "USER anna@", "USER a@b@host:2121", "PASS secret", "AUTH TLS", "FEAT", "SYST", "HELP", "OPTS UTF8 ON", "NOOP", "QUIT",
    "RETR a", "EPSV", "", "USER a\r@host", "GET / HTTP/1.1", "(too long)", "(no such name)"});

void require(bool holds, std::string_view property, std::string_view what, std::string_view detail = {})
{
    if (!holds)
        throw Violation{std::string(property), std::string(what), std::string(detail)};
}

int code_of(std::string_view line) { return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'); }

} // namespace

// ---- ServerSecurity

std::string ServerSecuritySystem::name() const
{
    return std::string("server security") + (is_implicit_ ? ", implicit" : "") + (may_be_clear_ ? ", may be clear" : "");
}

ServerSecuritySystem::State ServerSecuritySystem::initial() const { return {.machine = Machine(is_implicit_, may_be_clear_)}; }

void ServerSecuritySystem::enabled(const State& state, std::vector<Event>& events) const
{
    const bool is_handshake = state.machine.state() == Machine::State::starting_tls;
    for (std::size_t event = 0; event < kFromServer.size(); ++event)
        if ((event == kTls || event == kClearBytes) == is_handshake)
            events.push_back(static_cast<Event>(event));
}

void ServerSecuritySystem::hear(State& state, std::string_view line) const
{
    const bool is_over = is_at_rest(state);
    state.machine.on_line(line);
    if (is_over)
        return;
    const bool is_code = line != "text";
    if (state.inside_code == 0 && is_code && line[3] == '-')
        state.inside_code = code_of(line);
    const bool is_last = is_code && line[3] == ' ' && (state.inside_code == 0 || state.inside_code == code_of(line));
    if (!is_last)
        return;
    state.inside_code = 0;
    if (code_of(line) >= 200) {
        state.last_code = code_of(line);
        state.is_owed = false;
    }
}

void ServerSecuritySystem::happen(State& state, Event event) const
{
    const bool was_over = is_at_rest(state);
    const auto before = state.machine.state();
    switch (event) {
    case kTls:
        state.is_secure = true;
        state.machine.on_tls_started();
        break;
    case kClearBytes:
        state.machine.on_plaintext_after_auth();
        require(state.machine.state() == Machine::State::failed, "S1", "clear bytes behind AUTH's reply are not the end");
        break;
    case kEnd: state.machine.on_end(); break;
    case kTooLong: state.machine.on_line_too_long(); break;
    case kTwice:
        hear(state, "200 x");
        hear(state, "200 x");
        break;
    default: hear(state, kFromServer.at(event)); break;
    }
    const std::string_view what = kFromServer.at(event);
    require(!was_over || state.machine.state() == before || event == kTooLong, "S9", "its verdict changes", what);
    judge_output(state);
    judge_state(state);
}

void ServerSecuritySystem::judge_output(State& state) const
{
    const std::string output = state.machine.take_output();
    if (output.empty())
        return;
    require(output.ends_with("\r\n") && std::ranges::count(output, '\n') == 1, "S7", "this is not one line", output);
    require(state.machine.state() == Machine::State::waiting, "S9", "something is said after the verdict", output);
    require(!state.is_owed, "S2", "a question follows another one that has no answer", output);
    const std::string line = output.substr(0, output.size() - 2);
    const bool is_auth = line == "AUTH TLS" || line == "AUTH SSL";
    require(is_auth != state.is_secure, "S1", "this is said at the wrong side of TLS", line);
    require(is_auth || line == "PBSZ 0" || line == "PROT P", "S1", "this has no place here", line);
    state.asked = line;
    state.is_owed = true;
}

void ServerSecuritySystem::judge_state(const State& state) const
{
    const bool is_auth = state.asked == "AUTH TLS" || state.asked == "AUTH SSL";
    switch (state.machine.state()) {
    case Machine::State::starting_tls:
        if (is_implicit_)
            return require(state.last_code == 0, "S1", "something is heard before TLS");
        return require((state.last_code == 234 || state.last_code == 334) && is_auth && !state.is_owed, "S1",
            "TLS begins without the server's yes to AUTH");
    case Machine::State::secure:
        return require(state.is_secure && state.asked == "PROT P" && !state.is_owed && state.last_code == 200, "S1",
            "it is called secure without the server's yes to PROT P under TLS");
    case Machine::State::clear:
        return require(may_be_clear_ && !is_implicit_ && !state.is_secure && is_auth && state.last_code >= 500, "S1",
            "it is left in clear where it may not");
    case Machine::State::waiting: return require(state.is_owed, "live", "it waits for a reply that the server does not owe");
    case Machine::State::failed:
        return require(state.machine.obstacle() != Machine::Obstacle::none, "S9", "it fails for no reason");
    }
}

Digest ServerSecuritySystem::digest(const State& state) const
{
    Folder folder;
    folder.add(state.machine.state());
    folder.add(state.machine.obstacle());
    folder.add(state.is_secure);
    if (!is_at_rest(state)) {
        folder.add(std::string_view(state.asked));
        folder.add(state.is_owed);
        folder.add(state.inside_code);
        folder.add(state.last_code);
    }
    return folder.digest();
}

bool ServerSecuritySystem::is_at_rest(const State& state) const
{
    const auto now = state.machine.state();
    return now == Machine::State::secure || now == Machine::State::clear || now == Machine::State::failed;
}

bool ServerSecuritySystem::is_answer(const State&, Event event) const { return event <= kTls; }

std::string ServerSecuritySystem::script(const std::vector<Event>& path) const
{
    std::string text;
    for (const Event event : path)
        text += "    S> " + std::string(kFromServer.at(event)) + "\n";
    return text;
}

// ---- Reception

ReceptionSystem::State ReceptionSystem::initial() const { return {.machine = ftp::Reception(kBadCommands)}; }

void ReceptionSystem::enabled(const State& state, std::vector<Event>& events) const
{
    if (state.is_over || state.has_named)
        return; // nobody asks it any more
    for (std::size_t event = 0; event < kFromClient.size(); ++event)
        events.push_back(static_cast<Event>(event));
}

void ReceptionSystem::happen(State& state, Event event) const
{
    const std::string_view line = kFromClient.at(event);
    const auto answer = line == "(too long)" ? state.machine.on_line_too_long()
        : line == "(no such name)"           ? state.machine.on_bad_name("this is no name")
                                             : state.machine.on_line(line);
    require(answer.wanted.has_value() == answer.reply.empty(), "S3", "a line has no reply, or two answers", line);
    if (answer.wanted) {
        state.has_named = true;
        require(!answer.is_over && !answer.wanted->user.empty() && !answer.wanted->server.empty(), "S10",
            "a server is named by half", line);
        return require(line.starts_with("USER "), "S10", "something else than USER names a server", line);
    }
    require(answer.reply.ends_with("\r\n") && answer.reply.find('\r') == answer.reply.find("\r\n"), "S7", "this is no reply",
        answer.reply);
    const int code = code_of(answer.reply);
    require(!line.starts_with("PASS") || code >= 400, "S1", "a password is taken before there is a server", answer.reply);
    require(answer.is_over == (code == 421 || code == 221), "S9", "it ends and does not say so, or the contrary", answer.reply);
    state.is_over = answer.is_over;
    state.refused += code == 500 || code == 530 ? 1 : 0;
    require(state.refused < kBadCommands, "S8", "bad commands are not counted", line);
}

Digest ReceptionSystem::digest(const State& state) const
{
    Folder folder;
    folder.add(state.refused);
    folder.add(state.is_over);
    folder.add(state.has_named);
    return folder.digest();
}

std::string ReceptionSystem::script(const std::vector<Event>& path) const
{
    std::string text;
    for (const Event event : path)
        text += "    C> " + std::string(kFromClient.at(event)) + "\n";
    return text;
}

} // namespace safetp::explore
