#include "setup/plan.h"

#include "setup/findings.h"
#include "setup/machine.h"
#include "setup/openings.h"
#include "setup/raw_server.h"
#include "setup/rewrite.h"
#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::setup {

namespace {

constexpr const char* kRawSocket = "/etc/systemd/system/raw-ftp.socket";
constexpr const char* kRawService = "/etc/systemd/system/raw-ftp@.service";
constexpr std::size_t kMaxFiles = 64; // as a rule there are about six
constexpr std::string_view kMadeBy = "# Made by safetpd setup";

/// A daemon that the tables are to guard, and who reads them for it.
struct Guarded {
    std::string daemon;
    std::string wrapper; ///< empty: the daemon itself
    std::string allow_path = "/etc/hosts.allow";
    std::string deny_path = "/etc/hosts.deny";
};

/// The plan as it grows: several steps may change one file.
class Planner {
public:
    Planner(const Root& root, const PlanOptions& options) : root_(root), options_(options) { }

    Result<Plan> make();

private:
    Result<Change*> open(const std::string& path);
    Result<void> look();
    Result<void> switch_off_inetd();
    Result<void> move_inetd();
    Result<void> switch_off_xinetd();
    Result<void> switch_off_standalone(FtpdKind kind, const std::string& file);
    Result<void> switch_off_all_standalone();
    Result<void> switch_off_tls();
    Result<void> add_service();
    Result<void> write_units();
    Result<void> write_tables(const Guarded& guarded);
    Result<void> write_config();
    std::vector<Target> wrapped_daemons() const;
    std::optional<IpAddress> inetd_address() const;
    Result<void> plan_started();
    Result<void> plan_inetd();
    Result<void> plan_systemd();
    bool strangers_get_in(const Guarded& guarded);
    void command(std::string line);
    void disable_unit(const std::string& unit);
    bool is_served_per_connection();
    void restart_front_door();
    void finish_commands();

    const Root& root_;
    const PlanOptions& options_;
    config::Config config_;
    std::vector<Service> services_;
    std::vector<Opening> openings_;
    std::vector<Opening> doors_; ///< what opens the front door instead of safetpd.service
    RawServer server_;
    Plan plan_;
    bool changes_xinetd_ = false;
    std::vector<std::string> last_commands_;
    std::vector<std::string> old_units_; ///< to be started again by an undo
    std::vector<std::string> guards_; ///< files that have to be there first
};

Result<Change*> Planner::open(const std::string& path)
{
    const auto found = std::ranges::find(plan_.changes, path, &Change::path);
    if (found != plan_.changes.end())
        return &*found;
    if (plan_.changes.size() == kMaxFiles) // pointers into it are given out
        return fail(ErrorCode::bad_file, 0, "too many files would have to be changed; use fewer FTP servers");
    auto before = read_for_change(root_, path);
    if (!before)
        return std::unexpected(before.error());
    std::string after = before->value_or("");
    plan_.changes.push_back({path, std::move(*before), std::move(after)});
    return &plan_.changes.back();
}

void Planner::command(std::string line)
{
    if (std::ranges::find(plan_.commands, line) == plan_.commands.end())
        plan_.commands.push_back(std::move(line));
}

void Planner::disable_unit(const std::string& unit)
{
    for (const char* verb : {"stop", "disable"}) // not --now, which counts for nothing where a server has but an init script
        command(fmt::format("systemctl {} {}", verb, unit));
    for (const char* verb : {"enable", "start"})
        old_units_.push_back(fmt::format("systemctl {} {}", verb, unit));
}

Result<void> Planner::look()
{
    services_ = read_services(root_);
    const bool is_new = !options_.config.empty() && !root_.exists(options_.config); // it will be made
    auto config = is_new ? Result<config::Config>(config::Config()) : read_config(root_, options_.config, services_);
    if (!config)
        return std::unexpected(config.error());
    config_ = std::move(*config);
    const std::uint16_t raw_port = find_port(services_, "raw-ftp").value_or(kRawPort);
    Openings openings = find_configured(root_, services_, {21, raw_port});
    if (!openings.unread.empty()) // what cannot be read cannot be closed
        return fail(ErrorCode::bad_file, 0, openings.unread.front());
    openings_ = std::move(openings.found);
    doors_ = std::move(openings.doors);
    auto server = find_raw_server(root_, options_.ftpd, config_, openings_);
    if (!server)
        return std::unexpected(server.error());
    server_ = std::move(*server);
    plan_.remarks.push_back(fmt::format("the raw ftpd: {} ({})", fmt::join(server_.command(), " "), server_.origin));
    return {};
}

Result<void> Planner::switch_off_inetd()
{
    for (const Opening& opening : openings_) {
        if (opening.source != Source::inetd)
            continue;
        const auto change = open(opening.file);
        if (!change)
            return std::unexpected(change.error());
        std::string& text = (*change)->after;
        for (const InetdLine& line : parse_inetd_conf(text)) { // lines have moved by what was changed before
            if (line.is_enabled && line.text == opening.text) {
                text = with_line_replaced(text, line, switched_off(line));
                break;
            }
        }
        plan_.changes_inetd = true;
    }
    return {};
}

Result<void> Planner::move_inetd()
{
    const std::string wrapper = find_wrapper(root_);
    bool is_there = false, needs_wrapper = false;
    for (const Opening& opening : openings_) {
        if (opening.source != Source::inetd)
            continue;
        const auto change = open(opening.file);
        if (!change)
            return std::unexpected(change.error());
        std::string& text = (*change)->after;
        for (const InetdLine& line : parse_inetd_conf(text)) {
            if (!line.is_enabled || line.text != opening.text)
                continue;
            const InetdLine raw = as_raw(line, wrapper);
            needs_wrapper = needs_wrapper || raw.program == wrapper;
            if (to_text(raw) != to_text(line))
                text = with_line_replaced(text, line, to_text(raw)), plan_.changes_inetd = true;
            break;
        }
        is_there = true;
    }
    const bool has_inetd = root_.is_program("/usr/sbin/inetd") || root_.is_program("/usr/sbin/inetutils-inetd");
    if (!is_there && !has_inetd)
        return fail(ErrorCode::bad_file, 0, "there is no inetd: apt-get install openbsd-inetd; or use another --backend");
    if (!is_there) {
        const auto change = open("/etc/inetd.conf");
        if (!change)
            return std::unexpected(change.error());
        InetdLine line;
        line.service = "raw-ftp", line.socket_type = "stream", line.protocol = "tcp", line.wait = "nowait";
        line.user = server_.user, line.program = server_.program, line.arguments = server_.command();
        line.arguments.front() = server_.daemon();
        line = as_raw(line, wrapper);
        std::string& text = (*change)->after;
        text += text.empty() || text.ends_with('\n') ? "" : "\n";
        if (const auto lines = parse_inetd_conf(text + to_text(line) + "\n"); !lines.back().address.empty())
            line.has_own_address = true, line.address = "*"; // a line "ADDRESS:" above would hold for this one too
        text += to_text(line) + "\n";
        plan_.changes_inetd = needs_wrapper = true;
    }
    if (needs_wrapper && !root_.is_program(wrapper))
        return fail(ErrorCode::bad_file, 0,
            fmt::format("{} is not installed, which is to guard the raw ftpd's port: apt-get install tcpd; or use the backend "
                        "started, which needs none",
                wrapper));
    return {};
}

Result<void> Planner::switch_off_xinetd()
{
    for (const Opening& opening : openings_) {
        if (opening.source != Source::xinetd)
            continue;
        const auto change = open(opening.file);
        if (!change)
            return std::unexpected(change.error());
        (*change)->after = with_xinetd_disabled((*change)->after, opening.line, opening.text);
        changes_xinetd_ = true;
    }
    return {};
}

Result<void> Planner::switch_off_standalone(FtpdKind kind, const std::string& file)
{
    const auto change = open(file);
    if (!change)
        return std::unexpected(change.error());
    std::string& text = (*change)->after;
    if (kind == FtpdKind::vsftpd) {
        text = with_vsftpd_setting(text, "listen", "NO");
        text = with_vsftpd_setting(text, "listen_ipv6", "NO");
    } else if (kind == FtpdKind::proftpd) {
        text = with_proftpd_setting(text, "ServerType", "inetd");
    } else if (kind == FtpdKind::pure_ftpd) {
        text = with_shell_setting(text, "STANDALONE_OR_INETD", "inetd");
    }
    return {};
}

Result<void> Planner::switch_off_all_standalone()
{
    for (const Opening& opening : openings_) {
        if (opening.source == Source::systemd_socket && opening.unit != "raw-ftp.socket")
            disable_unit(opening.unit);
        if (opening.source != Source::standalone)
            continue;
        disable_unit(opening.unit);
        if (opening.file.empty())
            continue;
        if (const auto done = switch_off_standalone(opening.kind, opening.file); !done)
            return done;
    }
    // The chosen one may not be started at boot, and yet be told to listen: then it would not serve its standard input.
    const FtpdSettings settings = read_ftpd_settings(root_, server_.kind, server_.command());
    for (const Standing& standing : settings.listens) {
        if (const auto done = switch_off_standalone(server_.kind, standing.file); !done)
            return done;
    }
    return {};
}

/// Behind safetpd the raw ftpd is spoken to in clear: one that insists on TLS of its own would let nobody in.
Result<void> Planner::switch_off_tls()
{
    const auto insists = read_ftpd_settings(root_, server_.kind, server_.command()).insists_on_tls;
    if (!insists)
        return {};
    if (insists->file.empty())
        return fail(ErrorCode::bad_config, 0,
            fmt::format("the raw ftpd insists on TLS of its own ({}), which nobody behind safetpd can speak with it; take that "
                        "out where it is started",
                insists->setting));
    const auto change = open(insists->file);
    if (!change)
        return std::unexpected(change.error());
    std::string& text = (*change)->after;
    if (server_.kind == FtpdKind::vsftpd)
        text = with_vsftpd_setting(text, "ssl_enable", "NO");
    else if (server_.kind == FtpdKind::proftpd)
        text = with_proftpd_setting(text, "TLSRequired", "off");
    else
        text = "1\n";
    plan_.remarks.push_back(fmt::format(
        "{}:{}: \"{}\" makes the raw ftpd insist on TLS of its own; behind safetpd it is to speak plain FTP", insists->file,
        insists->line, insists->setting));
    return {};
}

Result<void> Planner::add_service()
{
    const auto change = open("/etc/services");
    if (!change)
        return std::unexpected(change.error());
    (*change)->after = with_raw_ftp((*change)->after);
    return {};
}

std::string unit_word(const std::string& word)
{
    std::string out;
    for (const char letter : word) {
        out += letter;
        if (letter == '%' || letter == '$')
            out += letter;
    }
    return out.find_first_of(" \t\"'\\;") == std::string::npos ? out : json_string(out);
}

Result<void> Planner::write_units()
{
    const std::uint16_t port = find_port(services_, "raw-ftp").value_or(kRawPort);
    std::vector<std::string> words;
    for (const std::string& word : server_.command())
        words.push_back(unit_word(word));
    if (!server_.argv0.empty())
        words.insert(words.begin() + 1, unit_word(server_.argv0));
    const std::string user = server_.user == "root" ? "" : fmt::format("User={}\n", server_.user);
    const std::string socket
        = fmt::format("{}: the FTP server behind safetpd, for this machine only.\n[Unit]\nDescription=FTP server "
                      "behind safetpd, listening socket\n\n[Socket]\nListenStream=127.0.0.1:{}\nAccept=yes\n\n"
                      "[Install]\nWantedBy=sockets.target\n",
            kMadeBy, port);
    const std::string service
        = fmt::format("{}: one session of the FTP server behind safetpd.\n[Unit]\nDescription=FTP server behind "
                      "safetpd, one session\nCollectMode=inactive-or-failed\n\n[Service]\nExecStart=-{}{}\n{}"
                      "StandardInput=socket\nStandardOutput=socket\nStandardError=journal\n",
            kMadeBy, server_.argv0.empty() ? "" : "@", fmt::join(words, " "), user);
    const std::pair<const char*, const std::string*> units[] = {{kRawSocket, &socket}, {kRawService, &service}};
    for (const auto& [path, text] : units) {
        const auto change = open(path);
        if (!change)
            return std::unexpected(change.error());
        if ((*change)->before && !(*change)->before->starts_with(kMadeBy))
            return fail(ErrorCode::bad_file, 0, fmt::format("{} is there already and not ours; move it away", path));
        (*change)->after = *text;
    }
    last_commands_ = {"systemctl daemon-reload", "systemctl enable --now raw-ftp.socket"};
    return {};
}

bool Planner::strangers_get_in(const Guarded& guarded)
{
    TableTexts texts = tables_of(config_);
    texts.allow_path = guarded.allow_path;
    texts.deny_path = guarded.deny_path;
    texts.new_allow = (*open(guarded.allow_path))->after;
    texts.new_deny = (*open(guarded.deny_path))->after;
    Situation situation;
    situation.addresses = options_.addresses;
    situation.is_live = root_.is_live();
    situation.is_started = true;
    situation.openings.push_back({.source = Source::socket,
        .kind = FtpdKind::other,
        .daemon = guarded.daemon,
        .port = find_port(services_, "raw-ftp").value_or(kRawPort),
        .asks = Asks::tables,
        .why = "through " + guarded.wrapper,
        .is_listening = true});
    const auto findings = diagnose(situation, make_judge(root_, texts));
    return std::ranges::find(findings, Weight::way, &Finding::weight) != findings.end();
}

Result<void> Planner::write_tables(const Guarded& guarded)
{
    if (!is_daemon_name(guarded.daemon))
        return fail(ErrorCode::bad_config, 0,
            fmt::format(
                "the access tables have no way to name the daemon '{}'; use the backend started", printable(guarded.daemon)));
    const auto allow = open(guarded.allow_path);
    const auto deny = open(guarded.deny_path);
    for (const auto* change : {&allow, &deny}) {
        if (!*change)
            return std::unexpected(change->error());
    }
    std::vector<std::string> allowed = allow_rules(guarded.daemon, options_.addresses);
    const std::string allow_before = (*allow)->after;
    (*allow)->after = with_table_lines(allow_before, allowed);
    (*deny)->after = with_table_lines((*deny)->after, {guarded.daemon + " : ALL"});
    guards_ = {guarded.allow_path, guarded.deny_path};
    if (!strangers_get_in(guarded))
        return {};
    // Some rule of hosts.allow lets them in, and would win over hosts.deny.
    allowed.push_back(guarded.daemon + " : ALL : deny");
    (*allow)->after = with_table_lines(allow_before, allowed);
    if (strangers_get_in(guarded))
        return fail(ErrorCode::bad_config, 0,
            "the access tables would still let strangers in; see what `safetpd check` says of them, or use the backend "
            "started");
    return {};
}

/// Where inetd listens for the raw ftpd, if that is one address; else the gateway finds it where it was itself contacted.
std::optional<IpAddress> Planner::inetd_address() const
{
    std::optional<IpAddress> address;
    for (const Opening& opening : openings_) {
        if (opening.source != Source::inetd)
            continue;
        if (!opening.address || (address && *address != *opening.address))
            return {};
        address = opening.address;
    }
    return address;
}

Result<void> Planner::write_config()
{
    const std::string path = options_.config.empty() ? kConfigFile : options_.config;
    const auto change = open(path);
    if (!change)
        return std::unexpected(change.error());
    ServerKeys keys{{"address", std::nullopt}, {"port", std::nullopt}, {"command", std::nullopt}, {"argv0", std::nullopt},
        {"user", std::nullopt}};
    if (options_.backend == Backend::started) {
        keys[2].second = toml_list(server_.command());
        if (!server_.argv0.empty())
            keys[3].second = toml_text(server_.argv0);
        keys[4].second = toml_text(server_.user);
    } else {
        keys.emplace_back("directory", std::nullopt); // belongs to command
        if (options_.backend == Backend::systemd)
            keys[0].second = toml_text("127.0.0.1");
        else if (const auto address = inetd_address())
            keys[0].second = toml_text(address->to_string());
    }
    std::string& text = (*change)->after;
    if (!(*change)->before)
        text = fmt::format("{}. Every key and its meaning: safetpd.toml(5).\n[server]\n", kMadeBy);
    auto edited = with_server_keys(text, keys, path);
    if (!edited)
        return std::unexpected(edited.error());
    text = std::move(*edited);
    return {};
}

Result<void> Planner::plan_started()
{
    if (const auto done = switch_off_inetd(); !done)
        return done;
    const std::string daemon = daemon_that_asks(root_, server_.command());
    if (daemon.empty())
        return {};
    plan_.remarks.push_back(fmt::format("{} asks the access tables itself; it will see 127.0.0.1", daemon));
    return write_tables({.daemon = daemon, .wrapper = ""});
}

/// What the wrapped lines of inetd's files start, once they are changed: as a rule one daemon.
std::vector<Target> Planner::wrapped_daemons() const
{
    std::vector<Target> targets;
    for (const Change& change : plan_.changes) {
        if (!change.path.starts_with("/etc/inetd"))
            continue;
        for (const InetdLine& line : parse_inetd_conf(change.after)) {
            Target target = find_target(line.program, line.arguments);
            const bool is_new = std::ranges::find(targets, target.daemon, &Target::daemon) == targets.end();
            if (line.is_enabled && line.service == "raw-ftp" && !target.wrapper.empty() && is_new)
                targets.push_back(std::move(target));
        }
    }
    return targets;
}

Result<void> Planner::plan_inetd()
{
    if (const auto done = add_service(); !done)
        return done;
    if (const auto done = move_inetd(); !done)
        return done;
    const std::vector<Target> targets = wrapped_daemons();
    if (targets.size() > 1)
        return fail(ErrorCode::bad_config, 0,
            fmt::format("inetd starts several raw ftpds ({}, {}); leave one, or use the backend started", targets[0].daemon,
                targets[1].daemon));
    if (targets.empty())
        return fail(
            ErrorCode::bad_config, 0, "inetd's line for the raw ftpd is on a port of its own; give it the service raw-ftp");
    plan_.remarks.emplace_back("hosts.allow gets the addresses that this machine has now; run it again when they change");
    Guarded guarded{.daemon = targets[0].daemon, .wrapper = targets[0].wrapper};
    if (base_name(guarded.wrapper) == "safetp-tcpd") { // which reads the tables that safetpd.toml names
        guarded.allow_path = config_.access.hosts_allow;
        guarded.deny_path = config_.access.hosts_deny;
    }
    return write_tables(guarded);
}

Result<void> Planner::plan_systemd()
{
    if (const auto done = add_service(); !done)
        return done;
    if (const auto done = switch_off_inetd(); !done)
        return done;
    return write_units();
}

/// Whether inetd, or a socket unit with Accept=yes, starts `safetpd -s` for each client: then that stays, and no service may be
/// started that would want the same port.
bool Planner::is_served_per_connection()
{
    for (const Opening& door : doors_) {
        if (std::ranges::find(door.arguments, "-s") == door.arguments.end())
            continue;
        plan_.remarks.push_back(fmt::format("the front door stays as it is: {}:{} starts safetpd -s for each client",
            door.file, door.line));
        return true;
    }
    return false;
}

void Planner::restart_front_door()
{
    const std::vector<Unit> units = load_units(root_);
    const auto unit = std::ranges::find(units, "safetpd.service", &Unit::name);
    const bool is_enabled = unit != units.end() && unit->is_enabled;
    if (is_served_per_connection()) {
        if (is_enabled)
            disable_unit("safetpd.service");
        return;
    }
    if (!is_enabled && doors_.empty())
        command("systemctl enable safetpd.service");
    command("systemctl restart safetpd.service");
    // First of all, since what comes back may need its port.
    plan_.undo_commands.insert(plan_.undo_commands.begin(),
        is_enabled || !doors_.empty() ? "systemctl restart safetpd.service" : "systemctl disable --now safetpd.service");
}

void Planner::finish_commands()
{
    std::vector<std::string> reloads;
    if (plan_.changes_inetd)
        reloads.push_back(plan_.inetd_reload);
    if (const std::string xinetd = xinetd_reload(root_); changes_xinetd_ && (reloads.empty() || reloads.front() != xinetd))
        reloads.push_back(xinetd);
    plan_.commands.insert(plan_.commands.begin(), reloads.begin(), reloads.end());
    for (std::string& line : last_commands_)
        command(std::move(line));
    if (options_.backend == Backend::systemd)
        plan_.undo_commands = {"systemctl disable --now raw-ftp.socket", "systemctl daemon-reload"};
    std::ranges::copy(reloads, std::back_inserter(plan_.undo_commands));
    restart_front_door();
    std::ranges::copy(old_units_, std::back_inserter(plan_.undo_commands));
    command("safetpd doctor");
}

Result<Plan> Planner::make()
{
    plan_.changes.reserve(kMaxFiles);
    plan_.inetd_reload = inetd_reload(root_);
    if (const auto done = look(); !done)
        return std::unexpected(done.error());
    const bool has_units = root_.exists(kRawSocket);
    if (options_.backend != Backend::systemd && has_units)
        return fail(ErrorCode::bad_config, 0,
            fmt::format(
                "{} is there: systemd starts the raw ftpd. Take that back first: systemctl disable --now raw-ftp.socket, "
                "safetpd setup --undo",
                kRawSocket));
    const auto steps = options_.backend == Backend::started ? &Planner::plan_started
        : options_.backend == Backend::inetd                ? &Planner::plan_inetd
                                                            : &Planner::plan_systemd;
    for (const auto step : {steps, &Planner::switch_off_xinetd, &Planner::switch_off_all_standalone,
             &Planner::switch_off_tls, &Planner::write_config}) {
        if (const auto done = (this->*step)(); !done)
            return std::unexpected(done.error());
    }
    // The tables first: wherever an apply ends, no line of inetd's is without its guard.
    std::ranges::stable_partition(
        plan_.changes, [&](const Change& change) { return std::ranges::find(guards_, change.path) != guards_.end(); });
    finish_commands();
    return std::move(plan_);
}

} // namespace

bool Plan::is_needed() const { return std::ranges::any_of(changes, &Change::is_needed); }

Result<Plan> make_plan(const Root& root, const PlanOptions& options) { return Planner(root, options).make(); }

} // namespace safetp::setup
