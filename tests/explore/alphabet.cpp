#include "alphabet.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace safetp::explore {

using Kind = Occurrence::Kind;

const Endpoint kClient{IpAddress::from_ipv4({192, 0, 2, 9}), 40'000};
const Endpoint kClient6{IpAddress::from_ipv6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}), 40'000};
const Endpoint kGateway{IpAddress::from_ipv4({198, 51, 100, 1}), 40'001};

namespace {

Says meaning_of(std::string_view line)
{
    using enum Says;
    constexpr auto kMeanings = std::to_array<std::pair<std::string_view, Says>>(
        {{"USER", user}, {"PASS", pass}, {"ACCT", acct}, {"QUIT", quit}, {"FEAT", feat}, {"TYPE", type}, {"EPSV", setup},
            {"PASV", setup}, {"EPRT", setup}, {"PORT", setup}, {"RETR", transfer}, {"STOR", transfer}, {"STAT", stat},
            {"NOOP", noop}, {"MKD", other}, {"HELP", other}, {"HOST", other}});
    const auto found = std::ranges::find(kMeanings, line.substr(0, line.find(' ')), &std::pair<std::string_view, Says>::first);
    return found == kMeanings.end() ? for_us : found->second;
}

constexpr auto kEvents = std::to_array<std::pair<Kind, std::string_view>>({{Kind::client_too_long, "client_too_long"},
    {Kind::client_end, "client_end"}, {Kind::server_too_long, "server_too_long"}, {Kind::server_end, "server_end"},
    {Kind::server_unreachable, "server_unreachable"}, {Kind::tls_started, "tls_started"}, {Kind::tls_failed, "tls_failed"},
    {Kind::plaintext_after_auth, "plaintext_after_auth"}, {Kind::auth_accepted, "auth_answered yes 234 go on"},
    {Kind::auth_refused, "auth_answered no 500 no"}, {Kind::passive_opened, "passive_opened 198.51.100.1 40001"},
    {Kind::server_listener, "server_listener 198.51.100.1 40001"}, {Kind::setup_failed, "setup_failed No port."},
    {Kind::data_over, "data_over"}, {Kind::delivered, "delivered"}, {Kind::client_broken, "failed client_broken"},
    {Kind::server_broken, "failed server_broken"}, {Kind::login_timeout, "login_timeout"}, {Kind::drain, "drain"},
    {Kind::drain_over, "drain_over"}, {Kind::broken, "broken"}});

std::string_view waiting_word(ftp::ControlChannel::Waiting waiting)
{
    constexpr std::array<std::string_view, 6> kWords{"greeting", "client", "server", "aftermath", "data", "nothing"};
    return kWords.at(static_cast<std::size_t>(waiting));
}

} // namespace

void give(ftp::ControlChannel& channel, const Input& input)
{
    switch (input.kind) {
    case Kind::client_line: return channel.on_client_line(input.text);
    case Kind::client_too_long: return channel.on_client_line_too_long();
    case Kind::client_end: return channel.on_client_end();
    case Kind::reply:
    case Kind::reply_and_more:
    case Kind::reply_again:
    case Kind::open_reply:
    case Kind::more_of_reply:
    case Kind::close_reply:
    case Kind::close_bare:
    case Kind::unasked_421:
    case Kind::no_reply: return channel.on_server_line(input.text);
    case Kind::server_too_long: return channel.on_server_line_too_long();
    case Kind::server_end: return channel.on_server_end();
    case Kind::server_unreachable: return channel.on_server_unreachable();
    case Kind::tls_started: return channel.on_tls_started("");
    case Kind::tls_failed: return channel.on_tls_failed();
    case Kind::plaintext_after_auth: return channel.on_plaintext_after_auth();
    case Kind::auth_accepted: return channel.on_auth_answered(true, "234 go on");
    case Kind::auth_refused: return channel.on_auth_answered(false, "500 no");
    case Kind::passive_opened: return channel.on_passive_opened(kGateway);
    case Kind::server_listener: return channel.on_server_listener(kGateway);
    case Kind::setup_failed: return channel.on_data_setup_failed("No port.");
    case Kind::data_over: return channel.on_transfer_data_over();
    case Kind::delivered: return channel.on_transfer_delivered();
    case Kind::client_broken: return channel.on_transfer_failed(ftp::DataFailure::client_broken);
    case Kind::server_broken: return channel.on_transfer_failed(ftp::DataFailure::server_broken);
    case Kind::timeout: return channel.on_timeout(channel.waiting());
    case Kind::login_timeout: return channel.on_login_timeout();
    case Kind::drain: return channel.on_drain();
    case Kind::drain_over: return channel.on_drain_over();
    case Kind::broken: return channel.on_connection_broken();
    case Kind::silence: return;
    }
}

std::string escaped(std::string_view text)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\\')
            result += "\\\\";
        else if (byte < 0x20 || byte >= 0x7f)
            ((result += "\\x") += kDigits[byte >> 4]) += kDigits[byte & 15];
        else
            result += c;
    }
    if (text.starts_with(' '))
        result.replace(0, 1, "\\s");
    return result;
}

std::string to_script(const Input& input, const ftp::ControlChannel& channel)
{
    if (input.kind == Kind::client_line)
        return "C> " + escaped(input.text);
    if (input.kind == Kind::timeout)
        return "event timeout " + std::string(waiting_word(channel.waiting()));
    if (input.kind == Kind::silence)
        return "# the raw ftpd says nothing more of the transfer";
    if (input.kind == Kind::reply_and_more)
        return "S+ " + escaped(input.text);
    const auto event = std::ranges::find(kEvents, input.kind, &std::pair<Kind, std::string_view>::first);
    return event == kEvents.end() ? "S> " + escaped(input.text) : "event " + std::string(event->second);
}

Alphabet::Alphabet(const Configuration& configuration)
{
    for (const auto& text : configuration.client_lines) {
        const auto index = static_cast<std::uint8_t>(client_lines_.size());
        const std::string_view verb = std::string_view(text).substr(0, text.find(' '));
        client_lines_.push_back({text, meaning_of(text), verb == "ABOR" || verb == "STAT" || verb == "AUTH"});
        occurrences_.push_back({Kind::client_line, index});
    }
    client_lines_.push_back({"(too long)"});
    const auto replies = server_replies();
    for (std::uint8_t index = 0; index < replies.size(); ++index) {
        occurrences_.push_back({Kind::reply, index});
        if (replies[index].may_be_long && configuration.has_long_replies)
            occurrences_.push_back({Kind::open_reply, index});
        if (replies[index].is_final() && configuration.habit == Habit::answers_twice)
            occurrences_.push_back({Kind::reply_and_more, index});
    }
    const auto add = [this](std::initializer_list<Kind> kinds) {
        for (const Kind kind : kinds)
            occurrences_.push_back({kind});
    };
    if (configuration.habit != Habit::exact)
        add({Kind::reply_again});
    if (configuration.has_long_replies)
        add({Kind::more_of_reply, Kind::close_reply, Kind::close_bare, Kind::no_reply, Kind::server_too_long});
    add({Kind::unasked_421, Kind::silence, Kind::client_end, Kind::server_end, Kind::timeout, Kind::passive_opened,
        Kind::server_listener, Kind::setup_failed, Kind::data_over, Kind::delivered, Kind::client_broken, Kind::server_broken});
    if (configuration.policy.secure_leg == ftp::SecureLeg::client)
        add({Kind::tls_started, Kind::tls_failed, Kind::plaintext_after_auth});
    else
        add({Kind::auth_accepted, Kind::auth_refused});
    if (configuration.has_drain)
        add({Kind::client_too_long, Kind::server_unreachable, Kind::login_timeout, Kind::drain, Kind::drain_over,
            Kind::broken});
}

} // namespace safetp::explore
