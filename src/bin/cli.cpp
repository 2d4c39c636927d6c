#include "bin/cli.h"

#include "base/zoned_address.h"
#include "supervisor/address_argument.h"
#include "supervisor/exit_codes.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

namespace safetp::bin {

namespace {

using supervisor::AddressArgument;
using supervisor::parse_address_argument;

/// What CLI11 fills, before it is understood.
struct Raw {
    std::string config;
    std::string port;
    std::string server;
    std::string key_directory;
    std::string listen;
    bool is_verbose = false;
    bool is_inetd = false;
    bool wants_check = false;
    bool wants_version = false;
};

std::string must_be_address(const std::string& text)
{
    return parse_address_argument(text) ? "" : "'" + text + "' is not [ADDRESS:]PORT, as in 2121, 127.0.0.1:2121 or [::1]:2121";
}

std::string must_be_ip(const std::string& text)
{
    return parse_zoned_address(text) ? "" : "'" + text + "' is not an IP address";
}

/// Options of the program as a whole, and those that the verbs repeat.
void declare_common(CLI::App& app, Raw& raw)
{
    app.set_help_flag("-h,--help", "Show this and exit");
    app.add_option("-c", raw.config, "Configuration (default: /etc/safetp/safetpd.toml)")->type_name("FILE");
    app.add_flag("-d,--debug", raw.is_verbose, "Log everything (level debug)");
}

void declare_run(CLI::App& app, Raw& raw)
{
    app.add_flag("-s", raw.is_inetd, "Serve the one connection that is standard input, as inetd starts it");
    app.add_option("-p", raw.port, "Listen here only")->type_name("[ADDRESS:]PORT")->check(must_be_address);
    app.add_option("-f", raw.server, "The raw ftpd listens here")->type_name("[ADDRESS:]PORT")->check(must_be_address);
    app.add_option("-y", raw.key_directory, "Directory of the self-made key")->type_name("DIR");
    app.add_flag("-t", raw.wants_check, "The same as the verb check");
    app.add_flag("-v,-V,--version", raw.wants_version, "Show the version and exit");
}

CLI::App* declare_check(CLI::App& app, Raw& raw, CommandLine& line)
{
    CLI::App* verb = app.add_subcommand("check", "List every problem of the configuration and of this machine");
    declare_common(*verb, raw);
    verb->add_flag("--strict", line.is_strict, "Exit with 1 when there are warnings");
    verb->add_flag("-a,--explicit-allow", line.wants_explicit_allow, "Warn of rules of hosts.allow that do not end in allow");
    verb->add_option("--tables", line.tables, "Check these access tables only, which need not be in place yet")
        ->type_name("ALLOW DENY")
        ->expected(2);
    return verb;
}

CLI::App* declare_explain(CLI::App& app, Raw& raw, explain::Question& question)
{
    CLI::App* verb = app.add_subcommand("explain", "Say what the access tables would do with a client, and why");
    declare_common(*verb, raw);
    verb->add_option("client", question.client, "An address or a host name, with USER@ before it if need be; or unknown")
        ->required()
        ->type_name("CLIENT");
    verb->add_option("--daemon", question.daemon, "For this daemon (default: safetpd's name)")->type_name("NAME[@SERVER]");
    verb->add_option("--user", question.user, "The client's user, as if ident had said so")->type_name("NAME");
    verb->add_option("--name", question.name, "The client's host name, as if it had been verified")->type_name("NAME");
    verb->add_option("--server", question.server, "The local address that the client reaches")->type_name("ADDRESS");
    verb->add_option("--port", question.port, "The local port that the client reaches")->check(CLI::Range(1, 65535));
    verb->add_option("--listener", question.listener, "The [[listener]] that the client reaches")->type_name("[ADDRESS:]PORT");
    verb->add_option("--reading", question.reading, "Read the tables so")->check(CLI::IsMember({"safe", "strict"}));
    verb->add_option("--allow", question.allow, "Instead of /etc/hosts.allow")->type_name("FILE");
    verb->add_option("--deny", question.deny, "Instead of /etc/hosts.deny")->type_name("FILE");
    verb->add_flag("--json", question.is_json, "Print JSON");
    verb->add_flag("--no-lookup", question.no_lookup, "Ask no name service");
    return verb;
}

CLI::App* declare_serve(CLI::App& app, Raw& raw, ServeOptions& serve)
{
    CLI::App* verb = app.add_subcommand("serve", "Serve a directory over FTP with TLS, now, with a raw ftpd of this machine");
    verb->set_help_flag("-h,--help", "Show this and exit");
    verb->add_option("directory", serve.directory, "What to serve")->required()->type_name("DIR");
    verb->add_option("--ftpd", serve.ftpd, "The raw ftpd to start (default: the first one found)")->type_name("PATH");
    verb->add_option("--port", serve.port, "Port to listen on")->capture_default_str()->check(CLI::Range(1, 65535));
    verb->add_option("--listen", raw.listen, "Address to listen on (default: 127.0.0.1)")
        ->type_name("ADDRESS")
        ->check(must_be_ip);
    verb->add_flag("-d,--debug", raw.is_verbose, "Log everything (level debug)");
    return verb;
}

CLI::App* declare_doctor(CLI::App& app, setup::DoctorOptions& doctor)
{
    CLI::App* verb = app.add_subcommand("doctor", "Look whether there is any way round the front door");
    verb->set_help_flag("-h,--help", "Show this and exit");
    verb->add_option("-c", doctor.config, "Configuration (default: /etc/safetp/safetpd.toml)")->type_name("FILE");
    verb->add_flag("--json", doctor.is_json, "Print JSON");
    verb->add_flag("!--no-connect", doctor.may_connect, "Do not connect to what listens on this machine");
    verb->add_option("--root", doctor.root, "Look at the files below DIR instead of at this machine")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory)
        ->group("Advanced");
    return verb;
}

CLI::App* declare_setup(CLI::App& app, setup::SetupOptions& options)
{
    static const std::map<std::string, setup::Backend> kBackends{{"started", setup::Backend::started},
        {"inetd", setup::Backend::inetd}, {"systemd", setup::Backend::systemd}};
    CLI::App* verb
        = app.add_subcommand("setup", "Put safetpd before the FTP server of this machine: show what is to be changed");
    verb->set_help_flag("-h,--help", "Show this and exit");
    verb->add_option("--backend", options.backend,
            "How the raw ftpd is started: started (by safetpd for each session, without a port: recommended), inetd or systemd")
        ->type_name("NAME")
        ->transform(CLI::CheckedTransformer(kBackends).description(""));
    verb->add_option("--ftpd", options.ftpd, "The raw ftpd (default: the one that is found)")->type_name("PATH");
    CLI::Option* const apply = verb->add_flag("--apply", options.apply, "Change it; what is replaced is kept");
    CLI::Option* const undo
        = verb->add_flag("--undo", options.undo, "Put back what --apply replaced, byte for byte")->excludes(apply);
    verb->add_flag("--force", options.force, "With --undo: also where a file was changed since; that version is kept")
        ->needs(undo);
    verb->add_option("-c", options.config, "Configuration (default: /etc/safetp/safetpd.toml)")->type_name("FILE");
    verb->add_option("--root", options.root, "Work on the files below DIR instead of on this machine")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory)
        ->group("Advanced");
    return verb;
}

void understand(const Raw& raw, CommandLine& line)
{
    supervisor::ConfigSource& source = line.options.source;
    source.may_be_missing
        = raw.config.empty() && (raw.is_inetd || !raw.port.empty() || !raw.server.empty() || !raw.key_directory.empty());
    if (!raw.config.empty())
        source.path = raw.config;
    if (!raw.port.empty()) {
        const AddressArgument where = *parse_address_argument(raw.port);
        source.overrides.listener.emplace();
        source.overrides.listener->address = where.address;
        source.overrides.listener->port = where.port;
    }
    if (!raw.server.empty()) {
        const AddressArgument where = *parse_address_argument(raw.server);
        source.overrides.server.emplace(where.address, where.port);
    }
    source.overrides.key_directory = raw.key_directory;
    source.overrides.is_verbose = raw.is_verbose;
    line.options.is_inetd = raw.is_inetd;
    if (!raw.listen.empty())
        line.serve.address = *parse_zoned_address(raw.listen);
    line.serve.is_verbose = raw.is_verbose;
}

} // namespace

std::variant<CommandLine, int> parse_command_line(int argc, char** argv)
{
    CLI::App app(
        "safetpd: FTP over TLS in front of an FTP server that has none. Without a verb: run the daemon in the foreground.",
        "safetpd");
    Raw raw;
    CommandLine line;
    declare_common(app, raw);
    declare_run(app, raw);
    const CLI::App* check = declare_check(app, raw, line);
    const CLI::App* explain = declare_explain(app, raw, line.question);
    const CLI::App* serve = declare_serve(app, raw, line.serve);
    const CLI::App* doctor = declare_doctor(app, line.doctor);
    const CLI::App* set_up = declare_setup(app, line.setup);
    app.require_subcommand(0, 1);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error); // prints help on stdout, errors on stderr
        return code == 0 ? supervisor::kExitOk : supervisor::kExitUsage;
    }
    understand(raw, line);
    if (raw.wants_version)
        line.verb = Verb::version;
    else if (check->parsed() || raw.wants_check)
        line.verb = Verb::check;
    else if (explain->parsed())
        line.verb = Verb::explain;
    else if (serve->parsed())
        line.verb = Verb::serve;
    else if (doctor->parsed())
        line.verb = Verb::doctor;
    else if (set_up->parsed())
        line.verb = Verb::setup;
    return line;
}

} // namespace safetp::bin
