#include "setup/systemd_units.h"

#include "setup/text.h"

#include <array>
#include <map>
#include <set>
#include <utility>

namespace safetp::setup {

namespace {

constexpr std::array<const char*, 5> kDirectories{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system", "/lib/systemd/system"};

void append(std::vector<UnitSetting>& all, const Root& root, const std::string& file)
{
    const auto text = root.read(file);
    if (!text || !*text)
        return;
    for (UnitSetting& setting : parse_unit(**text, file))
        all.push_back(std::move(setting));
}

/// Drop-ins of all directories: sorted by their names, those of /etc instead of others with the same one.
void append_drop_ins(std::vector<UnitSetting>& all, const Root& root, const std::string& unit)
{
    std::map<std::string, std::string> files;
    for (const char* directory : kDirectories) {
        const std::string place = std::string(directory) + "/" + unit + ".d";
        for (const std::string& name : root.list(place)) {
            if (name.ends_with(".conf"))
                files.emplace(name, place + "/" + name);
        }
    }
    for (const auto& [name, file] : files)
        append(all, root, file);
}

/// Names in *.wants and *.requires: what is started at boot.
std::set<std::string> find_wanted(const Root& root)
{
    std::set<std::string> wanted;
    for (const char* directory : kDirectories) {
        for (const std::string& name : root.list(directory)) {
            if (!name.ends_with(".wants") && !name.ends_with(".requires"))
                continue;
            for (const std::string& unit : root.list(std::string(directory) + "/" + name))
                wanted.insert(unit);
        }
    }
    return wanted;
}

bool is_interesting(const std::string& name) { return name.ends_with(".service") || name.ends_with(".socket"); }

/// One word of a command line, with single and double quotes and backslashes as systemd.syntax(7) has them.
std::string next_word(std::string_view& rest)
{
    std::string word;
    char quote = 0;
    while (!rest.empty()) {
        const char letter = rest.front();
        if (quote == 0 && (letter == ' ' || letter == '\t'))
            break;
        rest.remove_prefix(1);
        if (letter == quote)
            quote = 0;
        else if (quote == 0 && (letter == '"' || letter == '\''))
            quote = letter;
        else if (letter == '\\' && !rest.empty())
            word += rest.front(), rest.remove_prefix(1);
        else
            word += letter;
    }
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t'))
        rest.remove_prefix(1);
    return word;
}

} // namespace

std::vector<UnitSetting> Unit::values(std::string_view section, std::string_view key) const
{
    std::vector<UnitSetting> found;
    for (const UnitSetting& setting : settings) {
        if (setting.section != section || setting.key != key)
            continue;
        if (setting.value.empty())
            found.clear();
        else
            found.push_back(setting);
    }
    return found;
}

std::string Unit::last_value(std::string_view section, std::string_view key) const
{
    const auto all = values(section, key);
    return all.empty() ? std::string() : all.back().value;
}

std::vector<UnitSetting> parse_unit(std::string_view text, const std::string& file)
{
    std::vector<UnitSetting> settings;
    std::string section, joined;
    unsigned first_line = 0;
    for (const Line& line : split_lines(text)) {
        const std::string_view content = trim(line.text);
        const bool is_comment = !content.empty() && (content.front() == '#' || content.front() == ';');
        if (is_comment || (joined.empty() && content.empty()))
            continue; // comments do not end a continued line
        if (joined.empty())
            first_line = line.number;
        joined += content;
        if (content.ends_with('\\')) {
            joined.back() = ' ';
            continue;
        }
        const std::string whole = std::exchange(joined, {});
        const std::size_t equals = whole.find('=');
        if (whole.front() == '[' && whole.back() == ']')
            section = whole.substr(1, whole.size() - 2);
        else if (equals != std::string::npos)
            settings.push_back({section, std::string(trim(std::string_view(whole).substr(0, equals))),
                std::string(trim(std::string_view(whole).substr(equals + 1))), file, first_line});
    }
    return settings;
}

ExecCommand parse_exec(std::string_view value)
{
    value = trim(value);
    bool has_argv0 = false;
    while (!value.empty() && std::string_view("@-:+!").find(value.front()) != std::string_view::npos) {
        has_argv0 = has_argv0 || value.front() == '@';
        value.remove_prefix(1);
    }
    ExecCommand command;
    command.program = next_word(value);
    if (!has_argv0)
        command.arguments.push_back(command.program);
    while (!value.empty())
        command.arguments.push_back(next_word(value));
    return command;
}

std::vector<Unit> load_units(const Root& root)
{
    const std::set<std::string> wanted = find_wanted(root);
    std::map<std::string, Unit> units;
    for (const char* directory : kDirectories) {
        for (const std::string& name : root.list(directory)) {
            if (!is_interesting(name) || units.contains(name))
                continue;
            Unit unit{.name = name, .file = std::string(directory) + "/" + name};
            unit.is_masked = root.read_link(unit.file) == "/dev/null";
            unit.is_enabled = wanted.contains(name);
            if (!unit.is_masked)
                append(unit.settings, root, unit.file);
            append_drop_ins(unit.settings, root, name);
            units.emplace(name, std::move(unit));
        }
    }
    std::vector<Unit> all;
    for (auto& [name, unit] : units)
        all.push_back(std::move(unit));
    return all;
}

} // namespace safetp::setup
