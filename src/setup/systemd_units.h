// systemd.unit(5): the unit files of a machine as far as they listen or start something.
#pragma once

#include "setup/root.h"

#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

struct UnitSetting {
    std::string section;
    std::string key;
    std::string value;
    std::string file; ///< the unit's or a drop-in's
    unsigned line = 0;
};

struct Unit {
    std::string name; ///< vsftpd.service
    std::string file;
    bool is_masked = false;
    bool is_enabled = false; ///< something wants it at boot
    std::vector<UnitSetting> settings{};

    /// All values of a key that systemd would use: an empty assignment forgets those before it.
    std::vector<UnitSetting> values(std::string_view section, std::string_view key) const;
    std::string last_value(std::string_view section, std::string_view key) const;
};

/// systemd.syntax(7): sections, continuation lines, comments.
std::vector<UnitSetting> parse_unit(std::string_view text, const std::string& file);

/// A command line of ExecStart: its prefixes are taken off, quotes too; specifiers and variables stay.
struct ExecCommand {
    std::string program;
    std::vector<std::string> arguments; ///< [0] is argv[0]
};
ExecCommand parse_exec(std::string_view value);

/// All services and sockets of the machine, with drop-ins, in the order of systemd's directories: /etc wins.
std::vector<Unit> load_units(const Root& root);

} // namespace safetp::setup
