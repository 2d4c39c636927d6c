#include "setup/machine.h"

#include "config/load.h"
#include "setup/elf_needed.h"
#include "setup/ftpd_conf.h"
#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace safetp::setup {

namespace {

constexpr const char* kUnitDirectories[]
    = {"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"};

/// [server] port as the root's services give it: load() asks this machine's.
void correct_port(
    config::Config& config, const config::Loaded& loaded, const std::string& text, const std::vector<Service>& services)
{
    const std::uint16_t raw_port = find_port(services, "raw-ftp").value_or(kRawPort);
    const auto line = loaded.lines.find("server.port");
    if (line == loaded.lines.end()) {
        config.server.port = raw_port;
        return;
    }
    const auto lines = split_lines(text);
    if (line->second == 0 || line->second > lines.size())
        return;
    const std::string_view written = lines[line->second - 1].text;
    const std::size_t begin = written.find('"'), end = written.rfind('"');
    if (begin == std::string_view::npos || begin == end)
        return;
    const std::string_view name = written.substr(begin + 1, end - begin - 1);
    config.server.port = find_port(services, name).value_or(name == "raw-ftp" ? raw_port : config.server.port);
}

bool has_unit(const Root& root, std::string_view name)
{
    return std::ranges::any_of(kUnitDirectories,
        [&](const char* directory) { return root.exists(fmt::format("{}/{}", directory, name)); });
}

/// Where nothing was left to do, a super-server may have ended, or was never started.
std::string reload_unit(std::string_view name) { return fmt::format("systemctl reload-or-restart {}", name); }

} // namespace

std::vector<Service> read_services(const Root& root)
{
    const auto text = root.read("/etc/services");
    return parse_services(text && *text ? **text : std::string());
}

Result<config::Config> read_config(const Root& root, const std::string& file, const std::vector<Service>& services)
{
    const std::string path = file.empty() ? kConfigFile : file;
    const auto text = root.read(path);
    if (!text)
        return std::unexpected(text.error());
    if (!*text && !file.empty())
        return fail(ErrorCode::bad_config, 0, path + " does not exist");
    config::Loaded loaded = config::parse(*text ? **text : std::string(), path);
    if (!loaded.is_usable()) {
        std::string problems;
        for (const config::Problem& problem : loaded.problems)
            problems += (problems.empty() ? "" : "\n") + problem.to_string();
        return fail(ErrorCode::bad_config, 0, problems);
    }
    correct_port(loaded.config, loaded, *text ? **text : std::string(), services);
    return std::move(loaded.config);
}

std::string find_wrapper(const Root& root)
{
    for (const char* path : {"/usr/sbin/safetp-tcpd", "/usr/local/sbin/safetp-tcpd"}) {
        if (root.is_program(path))
            return path;
    }
    return "/usr/sbin/tcpd";
}

std::string inetd_reload(const Root& root)
{
    for (const char* unit : {"inetd.service", "openbsd-inetd.service", "inetutils-inetd.service"}) {
        if (has_unit(root, unit))
            return reload_unit(unit);
    }
    const bool has_inetd = root.is_program("/usr/sbin/inetd") || root.is_program("/usr/sbin/inetutils-inetd");
    if (!has_inetd && root.is_program("/usr/sbin/xinetd")) // which Debian starts with -inetd_compat
        return xinetd_reload(root);
    return "kill -HUP \"$(cat /run/inetd.pid)\"";
}

std::string xinetd_reload(const Root& root)
{
    if (has_unit(root, "xinetd.service") || root.exists("/etc/init.d/xinetd"))
        return reload_unit("xinetd.service");
    return "kill -HUP \"$(cat /run/xinetd.pid)\"";
}

std::string daemon_that_asks(const Root& root, const std::vector<std::string>& command)
{
    if (command.empty() || recognise_ftpd(command.front()) != FtpdKind::vsftpd)
        return {}; // inetutils-ftpd asks only where it listens itself
    const auto image = root.read(command.front());
    const bool is_linked = image && *image && needs_libwrap(**image);
    return is_linked && read_ftpd_settings(root, FtpdKind::vsftpd, command).asks_tables ? "vsftpd" : "";
}

TableTexts tables_of(const config::Config& config)
{
    TableTexts texts;
    texts.our_allow_path = config.access.hosts_allow;
    texts.our_deny_path = config.access.hosts_deny;
    const bool is_strict = config.access.reading == config::AccessReading::strict;
    texts.our_reading = is_strict ? access::Reading::strict : access::Reading::safe;
    return texts;
}

} // namespace safetp::setup
