// The third field of a rule: hosts_options(5). libwrap reads it only when the rule matches, so that mistakes wait for a client.
#include "access/lint_parts.h"
#include "access/options.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <fmt/format.h>

namespace safetp::access {

namespace {

constexpr std::string_view kFacilities[] = {"kern", "user", "mail", "daemon", "auth", "lpr", "news", "uucp", "cron", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
constexpr std::string_view kLevels[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

enum class Value { none, wanted, optional };

struct KnownOption {
    std::string_view name;
    Value value;
    bool is_expanded = false; ///< % sequences are replaced
    bool is_command = false;
};
constexpr KnownOption kOptions[] = {
    {"allow", Value::none},
    {"deny", Value::none},
    {"severity", Value::wanted},
    {"keepalive", Value::none},
    {"linger", Value::wanted},
    {"umask", Value::wanted},
    {"nice", Value::optional},
    {"rfc931", Value::optional},
    {"setenv", Value::wanted, true},
    {"user", Value::wanted},
    {"group", Value::wanted},
    {"spawn", Value::wanted, true, true},
    {"twist", Value::wanted, true, true},
    {"banners", Value::wanted},
    {"aclexec", Value::wanted, true, true},
};

struct OtherName {
    std::string_view name;
    std::string_view ours;
};
constexpr OtherName kOtherNames[] = {{"accept", "allow"}, {"permit", "allow"}, {"permitted", "allow"}, {"granted", "allow"},
    {"yes", "allow"}, {"refuse", "deny"}, {"reject", "deny"}, {"drop", "deny"}, {"block", "deny"}, {"denied", "deny"},
    {"no", "deny"}, {"banner", "banners"}, {"env", "setenv"}, {"exec", "spawn"}, {"run", "spawn"}, {"shell", "spawn"},
    {"ident", "rfc931"}, {"log", "severity"}, {"priority", "severity"}, {"loglevel", "severity"}};

std::size_t distance(std::string_view one, std::string_view other)
{
    std::vector<std::size_t> row(other.size() + 1);
    for (std::size_t at = 0; at < row.size(); ++at)
        row[at] = at;
    for (std::size_t i = 1; i <= one.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 1; j <= other.size(); ++j) {
            const std::size_t changed = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row.back();
}

/// `: did you mean "allow"?`, or nothing.
std::string nearest_option(std::string_view name)
{
    for (const OtherName& other : kOtherNames)
        if (other.name == name)
            return fmt::format(": did you mean \"{}\"?", other.ours);
    for (const KnownOption& known : kOptions)
        if (name.size() <= 20 && distance(name, known.name) <= (known.name.size() > 4 ? 2u : 1u))
            return fmt::format(": did you mean \"{}\"?", known.name);
    return "";
}

std::optional<long> whole_number(std::string_view text, int base = 10)
{
    if (text.starts_with('+'))
        text.remove_prefix(1);
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string better_level(std::string_view level)
{
    constexpr OtherName kBetter[]
        = {{"warn", "warning"}, {"error", "err"}, {"panic", "emerg"}, {"none", "debug"}, {"authpriv", "auth"},
            {"ftp", "daemon"}, {"syslog", "daemon"}, {"critical", "crit"}, {"verbose", "debug"}, {"information", "info"}};
    for (const OtherName& other : kBetter)
        if (other.name == level)
            return fmt::format("write {}", other.ours);
    return "facilities are kern user mail daemon auth lpr news uucp cron local0-7, levels emerg alert crit err warning notice "
           "info debug";
}

/// One rule's options.
class OptionCheck {
public:
    OptionCheck(Linter& linter, const Place& place, const Rule& rule)
        : linter_(linter)
        , place_(place)
        , rule_(rule)
        , fields_(option_fields(rule.options))
        , concerns_resident_(std::ranges::any_of(
              linter.settings.residents, [&](const std::string& daemon) { return may_concern(rule.daemons, daemon); }))
    {
    }

    void check();

private:
    void check_one(const OptionWords& option, bool is_last);
    void say_unknown(const std::string& field, const OptionWords& option);
    void check_value(const OptionWords& option);
    void check_number(const OptionWords& option);
    void check_severity(std::string_view value);
    void check_setenv(std::string_view value);
    void check_banners(const std::string& directory);
    void check_for_process(std::string_view name);
    void check_account(const OptionWords& option);
    void check_command(const OptionWords& option);
    void check_percent(const KnownOption& known, std::string_view value);
    void check_together();
    bool has(std::string_view name) const;
    bool is_for_residents_only() const;

    Linter& linter_;
    const Place& place_;
    const Rule& rule_;
    std::vector<std::string> fields_;
    bool concerns_resident_; ///< the rule can match a server that stays, safetpd itself
    bool has_unknown_ = false;
};

const KnownOption* find_option(std::string_view name)
{
    const auto found = std::ranges::find(kOptions, name, &KnownOption::name);
    return found == std::end(kOptions) ? nullptr : found;
}

bool OptionCheck::has(std::string_view name) const
{
    return std::ranges::any_of(fields_, [&](const std::string& field) { return option_words(field).name == name; });
}

bool OptionCheck::is_for_residents_only() const
{
    const std::vector<std::string_view> words = words_of(rule_.daemons);
    return concerns_resident_ && std::ranges::all_of(positive_words(words), [&](std::string_view word) {
        return linter_.is_resident(split_at_sign(word).first);
    });
}

void OptionCheck::check()
{
    for (std::size_t at = 0; at < fields_.size() && !has_unknown_; ++at) {
        const bool is_last = at + 1 == fields_.size();
        if (fields_[at].empty()) {
            linter_.error(place_, "a colon without an option: whoever matches the rule is denied; take the colon out");
            return;
        }
        const OptionWords option = option_words(fields_[at]);
        if (!find_option(option.name))
            say_unknown(fields_[at], option);
        else
            check_one(option, is_last);
    }
    if (!has_unknown_)
        check_together();
}

/// One message a rule: what follows an unknown option is often a part of the same mistake.
void OptionCheck::say_unknown(const std::string& field, const OptionWords& option)
{
    has_unknown_ = true;
    const bool is_first = &field == &fields_.front();
    const bool follows_command = !is_first && [&] {
        const KnownOption* before = find_option(option_words(*(&field - 1)).name);
        return before && before->value != Value::none;
    }();
    if (field.front() == '#')
        return linter_.error(place_,
            fmt::format("there are no comments behind a rule: {} counts as an option, and whoever matches is "
                        "denied; write it into a line of its own",
                shown(field)));
    if (is_word(field, {"ALL", "KNOWN", "UNKNOWN", "PARANOID", "LOCAL"}) || network_of(field))
        return linter_.error(place_,
            fmt::format("{} counts as an option, and whoever matches is denied: a rule is DAEMONS : CLIENTS, "
                        "then options such as allow and deny",
                shown(field)));
    if (field.starts_with("//"))
        return linter_.error(place_, "a URL is no pattern, and its colon ends the list of clients: write the host alone");
    const std::string nearest = nearest_option(option.name);
    if (nearest.empty() && follows_command)
        return linter_.error(place_,
            fmt::format("there is no option {}, and whoever matches is denied: if the colon before it belongs "
                        "to the option in front, write \\:",
                shown(field)));
    if (nearest.empty() && is_first && field.find_first_of("/(|>&") != std::string::npos)
        return linter_.error(
            place_, fmt::format("a command needs its option, else whoever matches is denied: write spawn {}", field));
    linter_.error(
        place_, fmt::format("there is no option {}, and whoever matches the rule is denied{}", shown(option.name), nearest));
}

void OptionCheck::check_one(const OptionWords& option, bool is_last)
{
    const KnownOption& known = *find_option(option.name);
    if (known.value == Value::none && !option.value.empty())
        return linter_.error(place_,
            fmt::format("{} takes no value, and whoever matches the rule is denied: write a colon before {}", option.name,
                shown(option.value)));
    if (known.value == Value::wanted && option.value.empty())
        return linter_.error(
            place_, fmt::format("{} needs a value; without one whoever matches the rule is denied", option.name));
    if (!is_last && is_word(option.name, {"allow", "deny", "twist"}))
        linter_.error(place_,
            fmt::format(
                "{} must be the last option, else whoever matches the rule is denied: move it to the end", option.name));
    check_percent(known, option.value);
    check_value(option);
}

void OptionCheck::check_value(const OptionWords& option)
{
    if (is_word(option.name, {"linger", "umask", "nice", "rfc931"}))
        check_number(option);
    else if (option.name == "severity")
        check_severity(option.value);
    else if (option.name == "setenv")
        check_setenv(option.value);
    else if (is_word(option.name, {"user", "group"}))
        check_account(option);
    else if (find_option(option.name)->is_command)
        check_command(option);
    else if (option.name == "banners")
        check_banners(option.value);
}

void OptionCheck::check_banners(const std::string& directory)
{
    const auto& has_directory = linter_.settings.has_directory;
    if (!directory.starts_with('/'))
        linter_.error(place_,
            fmt::format("banners {} is sought in whatever directory the daemon happens to be: write the whole path",
                shown(directory)));
    else if (has_directory && !has_directory(directory))
        linter_.warning(place_,
            fmt::format("there is no directory {}, so no banner is sent: make it, with a file in it for each daemon",
                shown(directory)));
}

void OptionCheck::check_number(const OptionWords& option)
{
    const auto number = whole_number(option.value, option.name == "umask" ? 8 : 10);
    const auto refuse = [&](std::string_view what) {
        linter_.error(
            place_, fmt::format("{} {}: {}; whoever matches the rule is denied", option.name, shown(option.value), what));
    };
    if (option.name == "umask" && (!number || *number < 0 || *number > 0777))
        return refuse("write an octal number up to 777");
    if (option.name == "linger" && (!number || *number < 0))
        return refuse("write a number of seconds, 0 or more");
    if (option.name == "nice" && !option.value.empty() && !number)
        return refuse("write a number");
    if (option.name == "rfc931" && !option.value.empty() && (!number || *number <= 0))
        return refuse("write a number of seconds, 1 or more");
    if (is_word(option.name, {"umask", "nice"}))
        check_for_process(option.name);
}

void OptionCheck::check_severity(std::string_view value)
{
    const std::size_t dot = value.find('.');
    const std::string level = lower(dot == std::string_view::npos ? value : value.substr(dot + 1));
    const std::string facility = dot == std::string_view::npos ? "daemon" : lower(value.substr(0, dot));
    const bool has_facility = std::ranges::find(kFacilities, facility) != std::end(kFacilities);
    if (has_facility && std::ranges::find(kLevels, level) != std::end(kLevels))
        return;
    const std::string& wrong = has_facility ? level : facility;
    linter_.error(place_,
        fmt::format(
            "severity does not know {}, and whoever matches the rule is denied: {}", shown(wrong), better_level(wrong)));
}

void OptionCheck::check_setenv(std::string_view value)
{
    const std::size_t end = std::min(value.find_first_of(" \t="), value.size());
    const std::string_view name = value.substr(0, end);
    const std::string_view rest = trimmed(value.substr(end));
    if (rest.starts_with('='))
        linter_.error(place_, fmt::format("setenv takes NAME VALUE: this sets {} to {}; leave the = out", name, shown(rest)));
    if (name == "VSFTPD_LOAD_CONF" && (!concerns_resident_ || !linter_.settings.residents_start_server))
        linter_.warning(place_,
            "setenv VSFTPD_LOAD_CONF reaches a vsftpd that reads these tables itself, which behind safetpd sees this "
            "machine as every client: write the rule for the daemon safetpd, and have safetpd start vsftpd "
            "(\"command\" in [server]), which then gets the variable");
    else
        check_for_process("setenv");
}

/// setenv, umask, nice: for safetpd they are the raw ftpd's, where safetpd starts it.
void OptionCheck::check_for_process(std::string_view name)
{
    if (is_for_residents_only() && !linter_.settings.residents_start_server)
        linter_.warning(place_,
            fmt::format("{} has no effect: safetpd starts no raw ftpd here that it could act on (\"command\" in "
                        "[server])",
                name));
}

void OptionCheck::check_account(const OptionWords& option)
{
    const std::string_view first = std::string_view(option.value).substr(0, option.value.find('.'));
    if (!first.empty() && first.find_first_not_of("0123456789") == std::string_view::npos)
        return linter_.error(place_,
            fmt::format("{} {}: numbers are not taken, and whoever matches the rule is denied; write the name", option.name,
                shown(option.value)));
    const auto has
        = [](const auto& known, std::string_view name) { return !known || name.empty() || known(std::string(name)); };
    const LintSettings& settings = linter_.settings;
    const std::string_view second = std::string_view(option.value).substr(std::min(first.size() + 1, option.value.size()));
    if (option.name == "group" ? !has(settings.has_group, option.value)
                               : !has(settings.has_user, first) || !has(settings.has_group, second))
        return linter_.error(place_,
            fmt::format("{} {}: nobody is called so here, and whoever matches the rule is denied", option.name,
                shown(option.value)));
    if (concerns_resident_ && linter_.settings.reading == Reading::safe)
        return linter_.error(place_,
            fmt::format("safetpd cannot do {} {} and denies whoever matches the rule: write \"user\" in [server]", option.name,
                shown(option.value)));
    linter_.warning(place_,
        fmt::format("Debian's tcpd ignores {} {}: the daemon keeps the rights it has (its dry-run test is the wrong "
                    "way round); say the user in inetd.conf instead",
            option.name, shown(option.value)));
}

void OptionCheck::check_command(const OptionWords& option)
{
    if (concerns_resident_ && !linter_.settings.residents_run_commands) {
        if (option.name == "spawn")
            linter_.warning(
                place_, "safetpd does not run spawn unless \"commands\" in [access] is true: the rule works without it");
        else
            linter_.error(place_,
                fmt::format(
                    "safetpd denies whoever matches a rule with {} unless \"commands\" in [access] is true", option.name));
    } else if (concerns_resident_ && option.name == "twist" && linter_.settings.reading == Reading::strict) {
        linter_.error(place_,
            "under the strict reading a server that stays, such as safetpd, cannot twist and denies: write banners "
            "DIR : deny, or use reading = \"safe\"");
    }
    if (option.name != "aclexec" || linter_.settings.reading == Reading::safe)
        return;
    linter_.warning(place_,
        "aclexec: after one command that fails libwrap takes back later rules that have options, in the same "
        "process also for other clients, deny rules among them: put it last, or use reading = \"safe\"");
    if (place_.table == TableName::deny)
        linter_.warning(place_,
            "aclexec in the deny table: when its command fails, the client is let in and the rest of the table is not "
            "read");
}

void OptionCheck::check_percent(const KnownOption& known, std::string_view value)
{
    if (!known.is_expanded && value.find('%') != std::string_view::npos)
        return linter_.error(
            place_, fmt::format("% is not expanded in {}: {} is taken as it stands", known.name, shown(value)));
    for (std::size_t at = 0; known.is_expanded && (at = value.find('%', at)) != std::string_view::npos; at += 2) {
        if (at + 1 == value.size())
            return linter_.warning(place_, fmt::format("{} ends in a single %: write %% for the character", known.name));
        if (std::string_view("aAnNhHucsdprR%").find(value[at + 1]) == std::string_view::npos)
            linter_.error(place_,
                fmt::format("%{} in {} means nothing and is left out: write %% for the character, or one of %a %A %c "
                            "%d %h %H %n %N %p %r %R %s %u",
                    shown(value.substr(at + 1, 1)), known.name));
    }
}

void OptionCheck::check_together()
{
    if (has("aclexec") && has("allow"))
        linter_.error_in_strict(
            place_.file, place_.line, "allow after aclexec grants also when the command fails: take allow out");
    if (!has("rfc931"))
        return;
    const bool uses_user = std::ranges::any_of(fields_, [](const std::string& field) {
        return field.find("%u") != std::string::npos || field.find("%c") != std::string::npos;
    });
    if (!uses_user && !has("banners"))
        linter_.warning(place_,
            "rfc931 asks the ident server of each client that matches, which waits up to 10 seconds where a firewall "
            "drops it, and the answer goes into the log only: take it out, or write user@host patterns");
}

std::string ipv6_across(std::string_view before, std::string_view after)
{
    constexpr std::string_view kEnds = " \t,\r\n@";
    const std::size_t start = before.find_last_of(kEnds);
    std::string word(before.substr(start == std::string_view::npos ? 0 : start + 1));
    word += ':';
    word += after.substr(0, after.find_first_of(" \t,\r\n@]"));
    for (; std::ranges::count(word, ':') > 1; word.erase(word.rfind(':'))) {
        std::array<std::uint8_t, 16> bytes{};
        if (word == "::") // no client's address: two colons where one was meant
            return "";
        if (::inet_pton(AF_INET6, word.substr(0, word.find('/')).c_str(), bytes.data()) == 1)
            return word;
    }
    return "";
}

} // namespace

std::vector<std::string> option_fields(std::string_view options)
{
    std::vector<std::string> fields = split_options(options);
    for (std::string& field : fields)
        field = std::string(trimmed(field));
    return fields;
}

OptionWords option_words(std::string_view field)
{
    const std::size_t end = std::min(field.find_first_of(" \t\r\n="), field.size());
    std::string_view value = trimmed(field.substr(end));
    if (value.starts_with('='))
        value = trimmed(value.substr(1));
    return {lower(field.substr(0, end)), std::string(value)};
}

std::string bare_ipv6(const Rule& rule)
{
    if (rule.daemons.find('@') != std::string::npos) {
        if (std::string word = ipv6_across(rule.daemons, rule.clients + (rule.has_options ? ":" + rule.options : ""));
            !word.empty())
            return word;
    }
    return rule.has_options ? ipv6_across(rule.clients, rule.options) : "";
}

void check_options(Linter& linter, const Place& place, const Rule& rule)
{
    if (rule.has_options)
        OptionCheck(linter, place, rule).check();
    const std::vector<std::string> fields = rule.has_options ? option_fields(rule.options) : std::vector<std::string>{};
    const std::string last = fields.empty() ? "" : option_words(fields.back()).name;
    if (linter.settings.wants_explicit_allow && place.table == TableName::allow && !is_word(last, {"allow", "deny", "twist"}))
        linter.warning(place, "the rule grants without saying so: write : allow at its end");
}

} // namespace safetp::access
