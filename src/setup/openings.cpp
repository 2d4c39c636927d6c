#include "setup/openings.h"

#include "setup/elf_needed.h"
#include "setup/text.h"
#include "setup/xinetd_conf.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::setup {

namespace {

bool contains(const std::vector<std::uint16_t>& ports, std::uint16_t port)
{
    return std::ranges::find(ports, port) != ports.end();
}

bool is_linked_to_libwrap(const Root& root, const std::string& program)
{
    const auto image = root.read(program);
    return image && *image && needs_libwrap(**image);
}

/// "192.0.2.1", "[::1]", "localhost", "*": what may stand before a service. Names count as all addresses: none is missed.
std::optional<IpAddress> parse_place(std::string_view text)
{
    if (text.starts_with('[') && text.ends_with(']'))
        text = text.substr(1, text.size() - 2);
    if (text == "localhost")
        return IpAddress::from_ipv4({127, 0, 0, 1});
    const auto address = IpAddress::parse(text);
    return address && !address->is_unspecified() ? std::optional(*address) : std::nullopt;
}

/// Sets whether the program itself asks the tables. Only what is known of a server counts: that a library is linked does not
/// say that it is used.
void judge_program(const Root& root, bool has_own_socket, Opening& opening)
{
    if (opening.asks == Asks::tables)
        return;
    const bool is_linked = is_linked_to_libwrap(root, opening.program);
    if (opening.kind == FtpdKind::vsftpd) {
        const bool is_told = read_ftpd_settings(root, opening.kind, opening.arguments).asks_tables;
        opening.asks = is_told && is_linked ? Asks::tables : Asks::nobody;
        opening.why = !is_told ? "tcp_wrappers is not YES in its configuration"
            : is_linked        ? "tcp_wrappers=YES"
                               : "tcp_wrappers=YES, but the program is not linked to libwrap";
        opening.daemon = opening.asks == Asks::tables ? "vsftpd" : opening.daemon;
    } else if (opening.kind == FtpdKind::inetutils) {
        opening.asks = is_linked && has_own_socket ? Asks::tables : Asks::nobody; // it asks only where it accepts itself
        opening.why = !is_linked ? "the program is not linked to libwrap"
            : has_own_socket     ? "linked to libwrap"
                                 : "it asks the tables only when it listens itself (-D)";
    } else {
        opening.asks = is_linked ? Asks::unknown : Asks::nobody;
        opening.why = is_linked ? "linked to libwrap; whether it asks is not known" : "the program is not linked to libwrap";
    }
}

/// Neither an FTP server, nor the front door, nor an unknown program on a port of FTP's.
bool is_elsewhere(const Target& target, FtpdKind kind, std::uint16_t port, const std::vector<std::uint16_t>& ftp_ports)
{
    return kind == FtpdKind::none && !is_front_door(target.program) && !contains(ftp_ports, port);
}

/// inetd's -l among its arguments, alone or with other letters.
bool asks_for_all(const std::vector<std::string>& arguments)
{
    return std::any_of(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end(), [](const std::string& word) {
        return word.starts_with('-') && !word.starts_with("--") && word.find('l') != std::string::npos;
    });
}

/// Whether inetd is started with -l, by which openbsd-inetd asks the tables for every line: what systemd's unit says, or, where
/// there is none, what the init script reads.
bool inetd_asks(const Root& root)
{
    for (const Unit& unit : load_units(root)) {
        if (unit.name != "inetd.service" && unit.name != "openbsd-inetd.service")
            continue;
        return asks_for_all(parse_exec(unit.last_value("Service", "ExecStart")).arguments);
    }
    const std::string text = root.read_text("/etc/default/openbsd-inetd");
    std::vector<std::string> options{"inetd"};
    for (const Line& line : split_lines(text)) {
        std::string content(trim(line.text));
        std::erase_if(content, [](char letter) { return letter == '"' || letter == '\''; });
        if (!content.starts_with("OPTIONS="))
            continue;
        options.resize(1);
        for (const Word& word : split_words(std::string_view(content).substr(std::string_view("OPTIONS=").size())))
            options.emplace_back(word.text);
    }
    return asks_for_all(options);
}

void add_inetd_line(const Root& root, const std::string& file, const InetdLine& line, std::uint16_t port, bool is_asked,
    const std::vector<std::uint16_t>& ftp_ports, Openings& out)
{
    const Target target = find_target(line.program, line.arguments);
    const FtpdKind kind = recognise_ftpd(target.program);
    if (is_elsewhere(target, kind, port, ftp_ports) || line.program == "internal")
        return;
    Opening opening{.source = Source::inetd,
        .file = file,
        .line = line.number,
        .text = line.text,
        .unit = "",
        .program = target.program,
        .arguments = target.arguments,
        .kind = kind,
        .daemon = target.daemon,
        .address = parse_place(line.address),
        .port = port,
        .asks = Asks::nobody,
        .why = ""};
    if (is_front_door(target.program)) {
        out.doors.push_back(std::move(opening));
        return;
    }
    if (!target.wrapper.empty()) {
        opening.asks = Asks::tables;
        opening.why = "through " + target.wrapper;
    } else if (is_asked) {
        opening.asks = Asks::tables;
        opening.why = "inetd -l asks the tables";
    }
    judge_program(root, false, opening);
    if (opening.asks == Asks::nobody)
        opening.why = "no tcpd in the line, and " + opening.why;
    out.found.push_back(std::move(opening));
}

void find_inetd(
    const Root& root, const std::vector<Service>& services, const std::vector<std::uint16_t>& ftp_ports, Openings& out)
{
    const bool is_asked = inetd_asks(root);
    for (const std::string& file : inetd_files(root)) {
        const auto text = root.read(file);
        if (!text)
            out.unread.push_back(describe(text.error()));
        if (!text || !*text)
            continue;
        for (const InetdLine& line : parse_inetd_conf(**text)) {
            const auto port = find_port(services, line.service);
            if (line.is_enabled && line.is_tcp() && port)
                add_inetd_line(root, file, line, *port, is_asked, ftp_ports, out);
        }
    }
}

std::vector<XinetdBlock> read_xinetd(const Root& root, Openings& out)
{
    std::vector<XinetdBlock> blocks;
    std::vector<std::string> files{"/etc/xinetd.conf"};
    static constexpr std::size_t kMaxFiles = 1000; // files may include each other
    for (std::size_t index = 0; index < files.size() && index < kMaxFiles; ++index) {
        const std::string file = files[index];
        const auto text = root.read(file);
        if (!text)
            out.unread.push_back(describe(text.error()));
        if (!text || !*text)
            continue;
        XinetdFile parsed = parse_xinetd_conf(**text, file);
        std::ranges::move(parsed.blocks, std::back_inserter(blocks));
        std::ranges::move(parsed.included_files, std::back_inserter(files));
        for (const std::string& directory : parsed.included_directories) {
            for (const std::string& name : root.list(directory)) { // xinetd.conf(5): no dots, no backups
                if (name.find('.') == std::string::npos && !name.ends_with('~'))
                    files.push_back(directory + "/" + name);
            }
        }
    }
    return blocks;
}

void find_xinetd(
    const Root& root, const std::vector<Service>& services, const std::vector<std::uint16_t>& ftp_ports, Openings& out)
{
    const std::vector<XinetdBlock> blocks = read_xinetd(root, out);
    const auto found = std::ranges::find(blocks, "", &XinetdBlock::name);
    const XinetdBlock defaults = found == blocks.end() ? XinetdBlock{} : *found;
    for (const XinetdBlock& block : blocks) {
        const auto port = find_port(services, block.value("port").empty() ? block.name : block.value("port"));
        std::vector<std::string> arguments;
        const std::string words = block.value("server_args");
        for (const Word& word : split_words(words))
            arguments.emplace_back(word.text);
        if (!block.has_flag("NAMEINARGS"))
            arguments.insert(arguments.begin(), std::string(base_name(block.value("server"))));
        const Target target = find_target(block.value("server"), arguments);
        const FtpdKind kind = recognise_ftpd(target.program);
        if (block.name.empty() || !is_enabled(block, defaults) || !port || is_elsewhere(target, kind, *port, ftp_ports))
            continue;
        const std::string bind = block.value("bind").empty() ? block.value("interface") : block.value("bind");
        Opening opening{.source = Source::xinetd,
            .file = block.file,
            .line = block.line,
            .text = "service " + block.name,
            .unit = "",
            .program = target.program,
            .arguments = target.arguments,
            .kind = kind,
            .daemon = target.daemon,
            .address = parse_place(bind),
            .port = *port,
            .asks = Asks::nobody,
            .why = ""};
        if (is_front_door(target.program)) {
            out.doors.push_back(std::move(opening));
            continue;
        }
        const bool asks = !block.has_flag("NOLIBWRAP") && is_linked_to_libwrap(root, "/usr/sbin/xinetd");
        if (asks || !target.wrapper.empty()) {
            opening.asks = Asks::tables;
            opening.why = asks ? "xinetd asks the tables" : "through " + target.wrapper;
        }
        judge_program(root, false, opening);
        out.found.push_back(std::move(opening));
    }
}

/// "21", "127.0.0.1:351", "[::]:351": none for sockets of other kinds.
std::optional<Opening> parse_listen_stream(const std::string& value)
{
    Opening opening;
    const std::size_t colon = value.rfind(':');
    const auto port
        = parse_port(colon == std::string::npos ? std::string_view(value) : std::string_view(value).substr(colon + 1));
    if (!port)
        return std::nullopt;
    opening.port = *port;
    if (colon != std::string::npos)
        opening.address = parse_place(value.substr(0, colon));
    return opening;
}

const Unit* find_unit(const std::vector<Unit>& units, const std::string& name)
{
    const auto found = std::ranges::find(units, name, &Unit::name);
    return found == units.end() ? nullptr : &*found;
}

/// The service that a socket starts: the one it names, else the template with Accept=yes, else its namesake.
const Unit* service_of(const Unit& socket, const std::vector<Unit>& units)
{
    if (const std::string named = socket.last_value("Socket", "Service"); !named.empty())
        return find_unit(units, named);
    const std::string stem = socket.name.substr(0, socket.name.size() - std::string_view(".socket").size());
    const std::string accept = lower(socket.last_value("Socket", "Accept"));
    const bool is_template = accept == "yes" || accept == "true" || accept == "1" || accept == "on";
    return find_unit(units, stem + (is_template ? "@.service" : ".service"));
}

void find_socket(const Root& root, const Unit& socket, const std::vector<Unit>& units,
    const std::vector<std::uint16_t>& ftp_ports, Openings& out)
{
    const Unit* const service = service_of(socket, units);
    const ExecCommand command = parse_exec(service == nullptr ? "" : service->last_value("Service", "ExecStart"));
    const Target target = find_target(command.program, command.arguments);
    const FtpdKind kind = recognise_ftpd(target.program);
    for (const UnitSetting& setting : socket.values("Socket", "ListenStream")) {
        auto opening = parse_listen_stream(setting.value);
        if (!opening || is_elsewhere(target, kind, opening->port, ftp_ports))
            continue;
        opening->source = Source::systemd_socket;
        opening->file = setting.file;
        opening->line = setting.line;
        opening->text = setting.key + "=" + setting.value;
        opening->unit = socket.name;
        opening->program = target.program;
        opening->arguments = target.arguments;
        opening->kind = kind;
        opening->daemon = target.daemon;
        if (is_front_door(target.program)) {
            out.doors.push_back(std::move(*opening));
            continue;
        }
        if (!target.wrapper.empty()) {
            opening->asks = Asks::tables;
            opening->why = "through " + target.wrapper;
        }
        judge_program(root, false, *opening);
        out.found.push_back(std::move(*opening));
    }
}

/// An ftpd that a service or an init script starts at boot, at each place where its configuration makes it listen.
void add_standalone(const Root& root, const std::string& unit, const ExecCommand& command, std::vector<Opening>& openings)
{
    const FtpdKind kind = recognise_ftpd(command.program);
    for (const Standing& standing : read_ftpd_settings(root, kind, command.arguments).listens) {
        Opening opening{.source = Source::standalone,
            .file = standing.file,
            .line = standing.line,
            .text = standing.setting,
            .unit = unit,
            .program = command.program,
            .arguments = command.arguments,
            .kind = kind,
            .daemon = std::string(base_name(command.program)),
            .address = standing.address,
            .port = standing.port,
            .asks = Asks::nobody,
            .why = ""};
        judge_program(root, true, opening);
        openings.push_back(std::move(opening));
    }
}

/// Whether an init script is started at boot: /etc/rc2.d/S01pure-ftpd.
bool is_started_by_rc(const Root& root, std::string_view script)
{
    for (const char* level : {"2", "3", "4", "5"}) {
        for (const std::string& name : root.list(fmt::format("/etc/rc{}.d", level))) {
            if (name.size() > 3 && name.starts_with('S') && name.substr(3) == script)
                return true;
        }
    }
    return false;
}

void find_units(const Root& root, const std::vector<std::uint16_t>& ftp_ports, Openings& out)
{
    const std::vector<Unit> units = load_units(root);
    for (const Unit& unit : units) {
        if (unit.is_masked || !unit.is_enabled)
            continue;
        if (unit.name.ends_with(".socket"))
            find_socket(root, unit, units, ftp_ports, out);
        const ExecCommand command = parse_exec(unit.last_value("Service", "ExecStart"));
        if (unit.name.ends_with(".service") && recognise_ftpd(command.program) != FtpdKind::none)
            add_standalone(root, unit.name, command, out.found);
    }
    // Debian's init scripts count where systemd has no unit of that name.
    const std::pair<const char*, const char*> scripts[]
        = {{"vsftpd", "/usr/sbin/vsftpd"}, {"proftpd", "/usr/sbin/proftpd"}, {"pure-ftpd", "/usr/sbin/pure-ftpd-wrapper"}};
    for (const auto& [script, program] : scripts) {
        const bool has_unit = find_unit(units, fmt::format("{}.service", script)) != nullptr;
        if (!has_unit && root.exists(fmt::format("/etc/init.d/{}", script)) && is_started_by_rc(root, script))
            add_standalone(root, script, {program, {program}}, out.found);
    }
}

bool is_super_server(const Owner& owner)
{
    const std::string_view name = base_name(owner.program.empty() ? owner.name : owner.program);
    return name == "inetd" || name == "xinetd" || name.ends_with("-inetd") || owner.pid == 1;
}

std::string_view program_of(const Owner& owner) { return owner.program.empty() ? owner.name : owner.program; }
bool is_door(const Owner& owner) { return is_front_door(program_of(owner)); }
bool is_ftpd(const Owner& owner) { return recognise_ftpd(program_of(owner)) != FtpdKind::none; }

/// Whether what is configured is what listens there: a super-server for its lines, an ftpd for itself.
bool explains(const Opening& opening, const Listener& listener)
{
    const bool is_same_place = opening.port == listener.endpoint.port
        && (!opening.address || listener.endpoint.address.is_unspecified() || *opening.address == listener.endpoint.address);
    if (!is_same_place || listener.owners.empty())
        return is_same_place;
    if (opening.source == Source::standalone)
        return std::ranges::any_of(listener.owners, is_ftpd);
    return std::ranges::any_of(listener.owners, is_super_server);
}

/// The inetd that runs may have other options than its files say.
void correct_inetd(const Listener& listener, Opening& opening)
{
    static constexpr const char* kByInetd = "inetd -l asks the tables";
    const auto inetd = std::ranges::find_if(listener.owners, is_super_server);
    if (opening.source != Source::inetd || inetd == listener.owners.end() || inetd->pid == 1)
        return;
    const bool asks = asks_for_all(inetd->arguments);
    if (asks && opening.asks == Asks::nobody) {
        opening.asks = Asks::tables;
        opening.why = kByInetd;
    } else if (!asks && opening.why == kByInetd) {
        opening.asks = Asks::nobody;
        opening.why = "the inetd that runs was not started with -l";
    }
}

Opening from_socket(const Root& root, const Listener& listener, const Owner* owner)
{
    const IpAddress& address = listener.endpoint.address;
    Opening opening{.address = address.is_unspecified() ? std::nullopt : std::optional(address),
        .port = listener.endpoint.port,
        .is_listening = true};
    if (owner == nullptr)
        return opening;
    opening.program = program_of(*owner);
    opening.arguments = owner->arguments;
    opening.kind = recognise_ftpd(opening.program);
    opening.text = fmt::format("process {} ({})", owner->pid, fmt::join(owner->arguments, " "));
    opening.daemon = base_name(opening.program);
    if (is_super_server(*owner)) {
        opening.asks = Asks::unknown;
        opening.why = "its configuration has no such line: it has not read it since the last change, or reads another file";
    } else {
        judge_program(root, true, opening);
    }
    return opening;
}

} // namespace

std::string Opening::name() const { return program.empty() ? "an unknown program" : std::string(base_name(program)); }

std::vector<std::string> inetd_files(const Root& root)
{
    std::vector<std::string> files{"/etc/inetd.conf"};
    for (const std::string& name : root.list("/etc/inetd.d"))
        files.push_back("/etc/inetd.d/" + name);
    return files;
}

Target find_target(const std::string& program, const std::vector<std::string>& arguments)
{
    const bool is_wrapped = is_wrapper(program) && !arguments.empty();
    const std::string name = arguments.empty() ? program : arguments.front();
    if (!is_wrapped)
        return {"", program, arguments.empty() ? std::vector{program} : arguments, std::string(base_name(name))};
    // tcpd(8): a path is run as it stands and known by its last part; a name is looked for in /usr/sbin and stays whole.
    const bool is_path = name.starts_with('/');
    return {program, is_path ? name : "/usr/sbin/" + name, arguments, is_path ? std::string(base_name(name)) : name};
}

Openings find_configured(const Root& root, const std::vector<Service>& services, const std::vector<std::uint16_t>& ftp_ports)
{
    Openings out;
    find_inetd(root, services, ftp_ports, out);
    find_xinetd(root, services, ftp_ports, out);
    find_units(root, ftp_ports, out);
    return out;
}

void add_listeners(const Root& root, const std::vector<Listener>& listeners, const std::vector<std::uint16_t>& ftp_ports,
    Openings& all)
{
    std::vector<Opening>& openings = all.found;
    const std::size_t configured = openings.size();
    for (const Listener& listener : listeners) {
        const bool is_for_door = std::ranges::any_of(all.doors, [&](const Opening& door) { return explains(door, listener); });
        if (is_for_door || std::ranges::any_of(listener.owners, is_door))
            continue;
        bool is_explained = false;
        for (std::size_t index = 0; index < configured; ++index) {
            if (explains(openings[index], listener)) {
                openings[index].is_listening = is_explained = true;
                correct_inetd(listener, openings[index]);
            }
        }
        // A server's children may hold its socket too, each with a client of its own.
        auto ftpd
            = std::ranges::find_if(listener.owners, [](const Owner& owner) { return is_ftpd(owner) && !owner.is_session; });
        if (ftpd == listener.owners.end())
            ftpd = std::ranges::find_if(listener.owners, is_ftpd);
        const bool has_ftpd = ftpd != listener.owners.end();
        const bool is_ftp_port = contains(ftp_ports, listener.endpoint.port);
        if (is_explained || (!is_ftp_port && (!has_ftpd || ftpd->is_session)))
            continue;
        Opening found = from_socket(root, listener,
            has_ftpd                      ? &*ftpd
                : listener.owners.empty() ? nullptr
                                          : &listener.owners.front());
        // One for both families: a server has a socket for each.
        const bool is_known = std::any_of(
            openings.begin() + static_cast<std::ptrdiff_t>(configured), openings.end(), [&](const Opening& other) {
                return other.port == found.port && other.address == found.address && other.text == found.text;
            });
        if (!is_known)
            openings.push_back(std::move(found));
    }
}

} // namespace safetp::setup
