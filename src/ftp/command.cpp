#include "ftp/command.h"

#include "ftp/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace safetp::ftp {

namespace {

constexpr std::size_t kMaxVerbBytes = 16;

constexpr std::array kVerbs = std::to_array<std::pair<std::string_view, Verb>>({
    {"USER", Verb::user}, {"PASS", Verb::pass}, {"ACCT", Verb::acct}, {"QUIT", Verb::quit}, {"REIN", Verb::rein},
    {"HOST", Verb::host}, {"AUTH", Verb::auth}, {"PBSZ", Verb::pbsz}, {"PROT", Verb::prot}, {"CCC", Verb::ccc},
    {"ADAT", Verb::adat}, {"MIC", Verb::protected_command}, {"CONF", Verb::protected_command},
    {"ENC", Verb::protected_command}, {"PASV", Verb::pasv}, {"EPSV", Verb::epsv}, {"PORT", Verb::port}, {"EPRT", Verb::eprt},
    {"LPSV", Verb::third_party}, {"LPRT", Verb::third_party}, {"SPSV", Verb::third_party}, {"CPSV", Verb::third_party},
    {"SSCN", Verb::third_party}, {"ESTA", Verb::third_party}, {"ESTP", Verb::third_party},
    {"RETR", Verb::retr}, {"LIST", Verb::list}, {"NLST", Verb::nlst}, {"MLSD", Verb::mlsd},
    {"STOR", Verb::stor}, {"STOU", Verb::stou}, {"APPE", Verb::appe}, {"ABOR", Verb::abor}, {"STAT", Verb::stat},
    {"NOOP", Verb::noop}, {"FEAT", Verb::feat}, {"TYPE", Verb::type}, {"MODE", Verb::mode}, {"STRU", Verb::stru},
    {"SYST", Verb::syst}, {"HELP", Verb::help}, {"OPTS", Verb::opts}, {"CLNT", Verb::clnt},
    {"GET", Verb::http}, {"HEAD", Verb::http}, {"POST", Verb::http}, {"PUT", Verb::http}, {"DELETE", Verb::http},
    {"CONNECT", Verb::http}, {"OPTIONS", Verb::http}, {"TRACE", Verb::http}, {"PATCH", Verb::http},
});

constexpr unsigned char kFirstTelnetCommand = 0xf0; // RFC 854: 0xf0 to 0xfe
constexpr unsigned char kWill = 0xfb;               // WILL, WONT, DO, DONT: 0xfb to 0xfe
constexpr unsigned char kIac = 0xff;

// Telnet commands in front of a verb (RFC 1123 section 4.1.2.12): IAC x, or IAC WILL/WONT/DO/DONT option.
std::string_view without_telnet_prefix(std::string_view line)
{
    while (line.size() >= 2 && static_cast<unsigned char>(line[0]) == kIac) {
        const auto code = static_cast<unsigned char>(line[1]);
        if (code < kFirstTelnetCommand || code == kIac)
            break;
        const bool has_option = code >= kWill;
        line.remove_prefix(std::min<std::size_t>(has_option ? 3 : 2, line.size()));
    }
    return line;
}

bool is_alphanumeric(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool ends_a_line_somewhere(char c) { return c == '\0' || c == '\r' || c == '\n'; }

// Their argument is one word, if any: ftpds skip the blanks around it, and no name is lost with them.
bool takes_a_parameter(Verb verb)
{
    switch (verb) {
    case Verb::auth:
    case Verb::pbsz:
    case Verb::prot:
    case Verb::ccc:
    case Verb::pasv:
    case Verb::epsv:
    case Verb::port:
    case Verb::eprt:
    case Verb::host:
    case Verb::rein:
    case Verb::abor:
    case Verb::noop:
    case Verb::feat:
    case Verb::syst:
    case Verb::type:
    case Verb::mode:
    case Verb::stru: return true;
    default: return false;
    }
}

bool has_public_argument(const Command& command)
{
    constexpr auto kOthers = std::to_array<std::string_view>({"CWD", "XCWD", "MKD", "XMKD", "RMD", "XRMD", "DELE", "RNFR",
        "RNTO", "SIZE", "MDTM", "MFMT", "MLST", "REST", "ALLO", "LANG"});
    switch (command.verb) {
    case Verb::pass:
    case Verb::acct:
    case Verb::adat:
    case Verb::protected_command:
    case Verb::http: return false;
    case Verb::other: return contains(kOthers, std::string_view(command.name));
    default: return true;
    }
}

std::string_view without_blanks_around(std::string_view text)
{
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return text;
}

} // namespace

std::string Command::to_line() const
{
    std::string line;
    append_line(line);
    return line;
}

std::size_t Command::line_bytes() const { return name.size() + (has_argument ? 1 + argument.size() : 0) + 2; }

void Command::append_line(std::string& text) const
{
    text += name;
    if (has_argument) {
        text += ' ';
        text += argument;
    }
    text += "\r\n";
}

std::expected<Command, CommandProblem> parse_command(std::string_view line)
{
    line = without_telnet_prefix(line);
    if (line.empty())
        return std::unexpected(CommandProblem::empty);
    if (std::ranges::any_of(line, ends_a_line_somewhere))
        return std::unexpected(CommandProblem::nul_or_cr);
    const std::size_t name_end = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, name_end);
    if (name.empty() || name.size() > kMaxVerbBytes || !std::ranges::all_of(name, is_alphanumeric))
        return std::unexpected(CommandProblem::bad_verb);

    Command command;
    command.name = upper_case(name);
    const auto known = std::ranges::find(kVerbs, std::string_view(command.name), &std::pair<std::string_view, Verb>::first);
    if (known != kVerbs.end())
        command.verb = known->second;
    std::string_view argument = line.substr(std::min(name_end + 1, line.size()));
    command.has_argument = name_end < line.size();
    const bool is_blank = without_blanks_around(argument).empty();
    if (takes_a_parameter(command.verb) || (command.verb == Verb::stat && is_blank)) {
        argument = without_blanks_around(argument);
        command.has_argument = !argument.empty();
    }
    command.argument = argument;
    return command;
}

std::string without_secrets(std::string_view line)
{
    const auto command = parse_command(line);
    if (!command)
        return "(no command, " + std::to_string(line.size()) + " bytes)"; // may be a password at the wrong prompt
    if (!command->has_argument)
        return command->name;
    const std::string& argument = command->argument;
    if (command->name == "SITE") // SITE CHMOD 600 x, but also SITE PSWD old new
        return "SITE " + argument.substr(0, argument.find(' ')) + (argument.contains(' ') ? " ***" : "");
    if (has_public_argument(*command))
        return command->name + " " + argument;
    return command->name + " ***";
}

bool is_transfer(Verb verb) { return verb >= Verb::retr && verb <= Verb::appe; }

Direction direction_of(Verb verb)
{
    return verb == Verb::stor || verb == Verb::stou || verb == Verb::appe ? Direction::upload : Direction::download;
}

} // namespace safetp::ftp
