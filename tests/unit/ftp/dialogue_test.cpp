// The interpreter of dialogue scripts, and proof that it notices what it must.
#include "ftp/dialogue.h"

#include "ftp/control_channel.h"

#include <charconv>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace safetp::ftp {
namespace {

struct ScriptError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

const std::map<std::string, std::string, std::less<>> kPreludes{
    {"greet", R"(
        S> 220 Ready
        C< 220 Ready)"},
    {"auth", R"(
        do greet
        C> AUTH TLS
        C< 234 *
        action StartTls)"},
    {"tls", R"(
        do auth
        event tls_started)"},
    {"user", R"(
        C> USER anna
        S< USER anna
        S> 331 Password?
        C< 331 Password?)"},
    {"pass", R"(
        C> PASS secret
        S< PASS secret
        S> 230 Welcome
        C< 230 Welcome
        action LoggedIn anna)"},
    {"login", R"(
        do tls
        do user
        do pass
        C> PBSZ 0
        C< 200 PBSZ=0
        C> PROT P
        C< 200 *)"},
    {"plain_login", R"(
        do greet
        do user
        do pass)"},
    {"active_retr", R"(
        do login
        do eprt
        C> RETR a
        S< RETR a)"},
    {"epsv", R"(
        C> EPSV
        S< EPSV
        S> 229 Entering Extended Passive Mode (|||50000|)
        action DialServer 50000
        action OpenPassive
        event passive_opened 198.51.100.1 40001
        C< 229 Entering Extended Passive Mode (|||40001|))"},
    {"epsv_clear", R"(
        C> EPSV
        S< EPSV
        S> 229 Entering Extended Passive Mode (|||50000|)
        action DialServer 50000
        action OpenPassive clear
        event passive_opened 198.51.100.1 40001
        C< 229 Entering Extended Passive Mode (|||40001|))"},
    {"eprt", R"(
        C> EPRT |1|192.0.2.9|40002|
        S< EPSV
        S> 229 Entering Extended Passive Mode (|||50000|)
        action DialServer 50000
        action UseActive 192.0.2.9:40002
        C< 200 *)"},
};

const std::map<std::string, DataFailure, std::less<>> kFailures{{"client_not_connected", DataFailure::client_not_connected},
    {"client_unreachable", DataFailure::client_unreachable}, {"handshake_failed", DataFailure::handshake_failed},
    {"not_resumed", DataFailure::not_resumed}, {"wrong_certificate", DataFailure::wrong_certificate},
    {"client_broken", DataFailure::client_broken}, {"server_unreachable", DataFailure::server_unreachable},
    {"server_broken", DataFailure::server_broken}, {"server_not_secured", DataFailure::server_not_secured},
    {"stalled", DataFailure::stalled}};

const std::map<std::string, ControlChannel::Waiting, std::less<>> kWaiting{{"greeting", ControlChannel::Waiting::greeting},
    {"client", ControlChannel::Waiting::client}, {"server", ControlChannel::Waiting::server},
    {"data", ControlChannel::Waiting::data}, {"nothing", ControlChannel::Waiting::nothing},
    {"aftermath", ControlChannel::Waiting::aftermath}};

template <typename Map>
const auto& look_up(const Map& map, const std::string& name)
{
    const auto found = map.find(name);
    if (found == map.end())
        throw ScriptError("no such name: " + name);
    return found->second;
}

template <typename Number>
Number number(const std::string& text)
{
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        throw ScriptError("not a number: " + text);
    return value;
}

std::string unescape(std::string_view text)
{
    const std::map<char, char> simple{{'r', '\r'}, {'n', '\n'}, {'t', '\t'}, {'0', '\0'}, {'s', ' '}, {'\\', '\\'}};
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            result += text[i];
            continue;
        }
        ++i;
        if (text[i] == 'x' && i + 2 < text.size()) {
            result += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else if (simple.contains(text[i])) {
            result += simple.at(text[i]);
        } else {
            throw ScriptError("unknown escape");
        }
    }
    return result;
}

struct ActionText {
    static std::string of(Direction direction) { return direction == Direction::upload ? "upload" : "download"; }

    std::string operator()(const StartTls&) const { return "StartTls"; }
    std::string operator()(const EndTls&) const { return "EndTls"; }
    std::string operator()(const AskForAuth& action) const { return "AskForAuth " + action.mechanism; }
    std::string operator()(const ExpectTransfer&) const { return "ExpectTransfer"; }
    std::string operator()(const OpenPassive& open) const { return open.is_protected ? "OpenPassive" : "OpenPassive clear"; }
    std::string operator()(const UseActive& action) const
    {
        const auto scope = action.client.address.scope();
        return "UseActive " + action.client.to_string() + (scope == 0 ? "" : " on interface " + std::to_string(scope));
    }
    std::string operator()(const DialServer& action) const { return "DialServer " + std::to_string(action.port); }
    std::string operator()(const ListenForServer&) const { return "ListenForServer"; }
    std::string operator()(const StartTransfer& action) const
    {
        return "StartTransfer " + of(action.direction) + (action.is_protected ? " protected" : " clear");
    }
    std::string operator()(const FinishDownload&) const { return "FinishDownload"; }
    std::string operator()(const AwaitEnd&) const { return "AwaitEnd"; }
    std::string operator()(const EndData&) const { return "EndData"; }
    std::string operator()(const AbortData&) const { return "AbortData"; }
    std::string operator()(const AbortClientData&) const { return "AbortClientData"; }
    std::string operator()(const CloseData&) const { return "CloseData"; }
    std::string operator()(const LoggedIn& action) const { return "LoggedIn " + action.user; }
    std::string operator()(const LoginFailed& action) const { return "LoginFailed " + action.user; }
    std::string operator()(const TransferEnded& action) const
    {
        return "TransferEnded " + of(action.direction) + " " + action.command + " " + action.argument
            + (action.is_ascii ? "" : " binary") + (action.is_complete ? " complete" : " cut") + reason_of(action);
    }
    static std::string reason_of(const TransferEnded& action)
    {
        return action.reason.empty() ? "" : " (" + action.reason + ")";
    }
    std::string operator()(const Note& action) const { return "Note " + std::string(action.event); }
    std::string operator()(const End& action) const { return "End " + std::string(to_string(action.reason)); }
};

class Dialogue {
public:
    void run(std::string_view script, const std::string& inside = "")
    {
        std::istringstream lines{std::string(script)};
        std::string line;
        for (int number = 1; std::getline(lines, line); ++number) {
            const auto begin = line.find_first_not_of(" \t");
            if (begin == std::string::npos || line[begin] == '#')
                continue;
            line = line.substr(begin);
            where_ = inside + "line " + std::to_string(number) + ", \"" + line + "\"";
            const std::string here = where_;
            step(line, here + ", ");
        }
    }

    void finish()
    {
        where_ = "the end of the script";
        expect_silence();
    }

    const std::string& where() const { return where_; }

private:
    void step(const std::string& line, const std::string& inside)
    {
        const auto space = line.find(' ');
        const std::string word = line.substr(0, space);
        const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
        if (word == "C<")
            return expect("to the client", to_client_, unescape(rest));
        if (word == "S<")
            return expect("to the raw ftpd", to_server_, unescape(rest));
        if (word == "action")
            return expect_action(unescape(rest));
        if (word == "waiting")
            return check(channel().waiting() == look_up(kWaiting, rest), "it waits for something else");
        if (word == "wants")
            return check(channel().wants_client_lines() == (rest == "yes"), "it says the contrary");
        if (word == "do")
            return run(look_up(kPreludes, rest), inside);
        if (word == "policy" || word == "client" || word == "server")
            return configure(word, words_of(rest));
        expect_silence();
        if (word == "C>")
            channel().on_client_line(unescape(rest));
        else if (word == "S>" || word == "S+")
            channel().on_server_line(unescape(rest));
        else if (word == "event")
            happen(words_of(rest), rest);
        else
            throw ScriptError("unknown word");
        collect();
        while (word != "S+" && channel().can_proceed()) {
            channel().proceed();
            collect();
        }
    }

    static std::vector<std::string> words_of(const std::string& text)
    {
        std::istringstream stream(text);
        std::vector<std::string> words;
        for (std::string word; stream >> word;)
            words.push_back(word);
        return words;
    }

    void configure(const std::string& word, const std::vector<std::string>& words)
    {
        check(!channel_, "this must come before all else");
        if (word == "client")
            client_ = {address(words.at(0)), number<std::uint16_t>(words.at(1))};
        else if (word == "server")
            server_ = *IpAddress::parse(words.at(0));
        else
            for (const auto& setting : words)
                set(setting.substr(0, setting.find('=')), setting.substr(setting.find('=') + 1));
    }

    // With "%2" behind it: the interface of a link-local address.
    static IpAddress address(const std::string& text)
    {
        const auto percent = text.find('%');
        const IpAddress parsed = *IpAddress::parse(text.substr(0, percent));
        return percent == std::string::npos
            ? parsed
            : IpAddress::from_ipv6(parsed.bytes(), number<std::uint32_t>(text.substr(percent + 1)));
    }

    void set(const std::string& name, const std::string& value)
    {
        const std::map<std::string, Security, std::less<>> securities{{"required", Security::required},
            {"except_anonymous", Security::required_except_anonymous}, {"optional", Security::optional}};
        const std::map<std::string, ServerDataMode, std::less<>> modes{{"automatic", ServerDataMode::automatic},
            {"epsv", ServerDataMode::epsv}, {"pasv", ServerDataMode::pasv}, {"active", ServerDataMode::active}};
        const std::map<std::string, std::function<void()>, std::less<>> setters{
            {"security", [&] { policy_.security = look_up(securities, value); }},
            {"mode", [&] { policy_.server_data_mode = look_up(modes, value); }},
            {"data", [&] { policy_.data_security_required = value == "required"; }},
            {"implicit", [&] { policy_.implicit_tls = value == "yes"; }},
            {"ccc", [&] { policy_.allow_ccc = value == "yes"; }},
            {"waiting", [&] { policy_.waiting_commands = number<std::size_t>(value); }},
            {"reply_bytes", [&] { policy_.reply_bytes = number<std::size_t>(value); }},
            {"server_line", [&] { policy_.server_line_bytes = number<std::size_t>(value); }},
            {"login_failures", [&] { policy_.login_failures = number<unsigned>(value); }},
            {"bad_commands", [&] { policy_.bad_commands = number<unsigned>(value); }},
            {"greeting", [&] { policy_.greeting = value; }},
            {"leg",
                [&] {
                    policy_.secure_leg = value == "server" ? SecureLeg::server : SecureLeg::client;
                    policy_.security = Security::optional;
                    policy_.server_words = "The FTP server";
                }},
            {"greets", [&] { policy_.passes_greeting = value == "yes"; }},
        };
        look_up(setters, name)();
    }

    /// What stands behind the first `count` words.
    static std::string behind(const std::string& text, int count)
    {
        std::size_t begin = 0;
        for (int i = 0; i < count; ++i)
            begin = text.find(' ', begin) + 1;
        return text.substr(begin);
    }

    void happen(const std::vector<std::string>& words, const std::string& text)
    {
        const auto word = [&](std::size_t i) { return words.size() > i ? words[i] : std::string(); };
        const auto endpoint = [&] { return Endpoint{*IpAddress::parse(word(1)), number<std::uint16_t>(word(2))}; };
        ControlChannel& it = channel();
        const std::map<std::string, std::function<void()>, std::less<>> events{
            {"client_too_long", [&] { it.on_client_line_too_long(); }},
            {"client_end", [&] { it.on_client_end(); }},
            {"server_too_long", [&] { it.on_server_line_too_long(); }},
            {"server_end", [&] { it.on_server_end(); }},
            {"server_unreachable", [&] { it.on_server_unreachable(); }},
            {"tls_started", [&] { it.on_tls_started(word(1)); }},
            {"auth_answered", [&] { it.on_auth_answered(word(1) == "yes", behind(text, 2)); }},
            {"unusable", [&] { it.on_server_unusable(EndReason::server_not_secured, behind(text, 1)); }},
            {"server_named", [&] { it.set_server(*IpAddress::parse(word(1))); }},
            {"proxy_name", [&] { it.set_proxy_name(word(1)); }},
            {"tls_failed", [&] { it.on_tls_failed(); }},
            {"plaintext_after_auth", [&] { it.on_plaintext_after_auth(); }},
            {"passive_opened", [&] { it.on_passive_opened(endpoint()); }},
            {"server_listener", [&] { it.on_server_listener(endpoint()); }},
            {"setup_failed", [&] { it.on_data_setup_failed(text.substr(std::string("setup_failed ").size())); }},
            {"data_over", [&] { it.on_transfer_data_over(); }},
            {"delivered", [&] { it.on_transfer_delivered(); }},
            {"failed", [&] { it.on_transfer_failed(look_up(kFailures, word(1))); }},
            {"drain", [&] { it.on_drain(); }},
            {"drain_over", [&] { it.on_drain_over(); }},
            {"broken", [&] { it.on_connection_broken(); }},
            {"timeout", [&] { it.on_timeout(look_up(kWaiting, word(1))); }},
            {"login_timeout", [&] { it.on_login_timeout(); }},
            {"progress", [&] { it.report_progress(number<std::uint64_t>(word(1))); }},
        };
        look_up(events, word(0))();
    }

    ControlChannel& channel()
    {
        if (!channel_)
            channel_ = std::make_unique<ControlChannel>(policy_, client_, server_);
        return *channel_;
    }

    static void split_lines(std::string_view text, std::deque<std::string>& lines)
    {
        while (!text.empty()) {
            const auto end = text.find("\r\n");
            if (end == std::string_view::npos)
                throw ScriptError("text without CRLF at its end came out: " + std::string(text));
            lines.emplace_back(text.substr(0, end));
            text.remove_prefix(end + 2);
        }
    }

    void collect()
    {
        const bool had_ended = ended_;
        const Output output = channel().take_output();
        split_lines(output.to_client, to_client_);
        split_lines(output.to_server, to_server_);
        for (const auto& action : output.actions) {
            check(!ended_, "an action came out after End");
            actions_.push_back(std::visit(ActionText{}, action));
            ended_ = std::holds_alternative<End>(action);
        }
        check(!had_ended || (output.to_client.empty() && output.to_server.empty()), "text came out after End");
        check(ended_ == channel().has_ended(), "has_ended() and End differ");
    }

    static bool matches(const std::string& actual, const std::string& expected)
    {
        return expected.ends_with('*') ? actual.starts_with(expected.substr(0, expected.size() - 1)) : actual == expected;
    }

    static void expect(const char* what, std::deque<std::string>& lines, const std::string& expected)
    {
        if (lines.empty())
            throw ScriptError(std::string("nothing came ") + what);
        if (!matches(lines.front(), expected))
            throw ScriptError(std::string("this came ") + what + ": " + lines.front());
        lines.pop_front();
    }

    void expect_action(const std::string& expected)
    {
        while (!expected.starts_with("Note") && !actions_.empty() && actions_.front().starts_with("Note"))
            actions_.pop_front();
        const bool is_about_reason = expected.contains(" (");
        if (!is_about_reason && !actions_.empty())
            actions_.front() = actions_.front().substr(0, actions_.front().find(" ("));
        expect("as an action", actions_, expected);
    }

    void expect_silence()
    {
        const auto silence = [](const char* what, const std::deque<std::string>& lines) {
            if (!lines.empty())
                throw ScriptError(std::string("before this, there came unexpectedly ") + what + ": " + lines.front());
        };
        silence("to the client", to_client_);
        silence("to the raw ftpd", to_server_);
        std::erase_if(actions_, [](const std::string& action) { return action.starts_with("Note"); });
        silence("as an action", actions_);
    }

    static void check(bool holds, const char* problem)
    {
        if (!holds)
            throw ScriptError(problem);
    }

    Policy policy_;
    Endpoint client_{*IpAddress::parse("192.0.2.9"), 40'000};
    IpAddress server_ = *IpAddress::parse("10.0.0.1");
    std::unique_ptr<ControlChannel> channel_;
    std::deque<std::string> to_client_;
    std::deque<std::string> to_server_;
    std::deque<std::string> actions_;
    std::string where_;
    bool ended_ = false;
};

} // namespace

std::string run_dialogue(std::string_view script)
{
    Dialogue dialogue;
    try {
        dialogue.run(script);
        dialogue.finish();
    } catch (const std::exception& error) {
        return dialogue.where() + ": " + error.what();
    }
    return "";
}

namespace {

// A test that cannot fail is a defect: each of these must be noticed.
TEST(DialogueScript, NoticesWhatDoesNotHold)
{
    for (const char* script : {
             "do tls\n C> NOOP",                           // S< NOOP was not expected
             "do tls\n S< NOOP",                           // nothing came
             "do tls\n C> NOOP\n S< QUIT",                 // something else came
             "do tls\n C> NOOP\n S< NOO",                  // no star, no prefix
             "do login\n C> NOOP\n C> NOOP\n S< NOOP\n S+ 200 ok\n C< 200 ok\n S< NOOP", // more has come
             "S> 220 Ready",                               // a line to the client was not expected
             "do greet\n C> AUTH TLS\n C< 234 *",          // an action was not expected
             "do greet\n action StartTls",                 // no action came
             "do greet\n waiting server",                  // it waits for the client
             "do greet\n wants no",                        // it wants
             "do greet\n policy security=optional",        // too late
             "policy security=none",                       // no such value
             "policy colour=red",                          // no such name
             "do nothing",                                 // no such prelude
             "event rain",                                 // no such event
             "say hello",                                  // no such word
             "do greet\n event timeout client\n C< 421 *", // End was not expected
         })
        EXPECT_NE(run_dialogue(script), "") << script;
}

TEST(DialogueScript, SaysWhere)
{
    EXPECT_EQ(run_dialogue("do tls\n C> NOOP\n S< QUIT"), "line 3, \"S< QUIT\": this came to the raw ftpd: NOOP");
}

} // namespace
} // namespace safetp::ftp
